//! The menu, and work that nobody waits for.

use convergio_contract::{
    RpcError,
    menu::{
        BackgroundGet, BackgroundPause, BackgroundPauseParams, BackgroundState, Menu, MenuAct,
        MenuActParams, MenuActResponse, MenuGet, MenuGetParams,
    },
    method::Empty,
};

use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    menu::{Language, draw},
};

impl Daemon {
    /// The language that is asked for, else the daemon's own.
    pub(crate) fn language(&self, asked: Option<&str>) -> Language {
        match asked.filter(|asked| !asked.is_empty()) {
            Some(asked) => Language::of(asked),
            None => Language::of(&self.surroundings.locale),
        }
    }
}

impl Handle<MenuGet> for Daemon {
    async fn handle(&self, _call: Call, params: MenuGetParams) -> Result<Menu, RpcError> {
        let language = self.language(params.language.as_deref());
        Ok(draw(&self.menu_facts().await, language))
    }
}

impl Handle<MenuAct> for Daemon {
    async fn handle(&self, call: Call, params: MenuActParams) -> Result<MenuActResponse, RpcError> {
        let language = self.language(params.language.as_deref());
        let said = self.menu_act(&call, &params.id, language).await?;
        Ok(MenuActResponse { said })
    }
}

impl Handle<BackgroundGet> for Daemon {
    async fn handle(&self, _call: Call, _params: Empty) -> Result<BackgroundState, RpcError> {
        Ok(self.held.state())
    }
}

impl Handle<BackgroundPause> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: BackgroundPauseParams,
    ) -> Result<BackgroundState, RpcError> {
        self.held.ask(&self.background, params.paused).await?;
        Ok(self.held.state())
    }
}
