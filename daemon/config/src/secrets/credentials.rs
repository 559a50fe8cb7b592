//! `$CREDENTIALS_DIRECTORY`: files that the service manager made for us.

use std::path::Path;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::lookup::{KeyName, Missing};
use super::usable_bytes;
use crate::file;

/// The credential that is named after the provider.
pub(super) async fn read(folder: Option<&Path>, name: &KeyName) -> Result<SecretString, Missing> {
    let Some(folder) = folder else {
        return Err(Missing::NotSet);
    };
    let path = folder.join(name.as_str());
    let read = move || read_file(&path);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Some(bytes))) => usable_bytes(&bytes),
        Ok(Ok(None)) => Err(Missing::NotSet),
        Ok(Err(why)) => Err(Missing::Failed(why)),
        Err(_) => Err(Missing::Failed("it could not be read".to_owned())),
    }
}

/// A small file's bytes; `None` when there is no such file.
pub(super) fn read_file(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    match file::read(path, "read a credential") {
        Ok(content) => Ok(content.map(|content| Zeroizing::new(content.bytes))),
        Err(fault) => Err(fault.reason),
    }
}
