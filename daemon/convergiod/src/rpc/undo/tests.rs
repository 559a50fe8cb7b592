use convergio_contract::undo::FileOnDisk;

use super::*;

fn sha(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn file(before: Option<&str>, after: &str) -> UndoFile {
    let utf8 = |text: &str| Blob {
        encoding: Encoding::Utf8,
        data: text.to_owned(),
    };
    UndoFile {
        path: "/r/a.py".into(),
        before: before.map(utf8),
        after_sha256: sha(after),
    }
}

fn on_disk(content: Option<&str>) -> UndoApplyParams {
    UndoApplyParams {
        undo_id: Uuid::nil(),
        files: vec![FileOnDisk {
            path: "/r/a.py".into(),
            sha256: content.map(sha),
        }],
        keep_files: false,
    }
}

#[test]
fn what_stands_changed_is_written_what_is_back_is_not_and_others_work_is_kept() {
    let files = [file(Some("old"), "new")];
    let write = left_to_write(&files, &on_disk(Some("new"))).unwrap();
    assert_eq!(write[0].content.as_ref().unwrap().data, "old");
    assert!(
        left_to_write(&files, &on_disk(Some("old")))
            .unwrap()
            .is_empty()
    );
    let conflict = left_to_write(&files, &on_disk(Some("other"))).unwrap_err();
    assert_eq!(conflict.kind(), Some(ErrorCode::Conflict));
    let conflict = left_to_write(&files, &on_disk(None)).unwrap_err();
    assert_eq!(conflict.kind(), Some(ErrorCode::Conflict));
    let made = [file(None, "new")];
    assert!(
        left_to_write(&made, &on_disk(Some("new"))).unwrap()[0]
            .content
            .is_none()
    );
    assert!(left_to_write(&made, &on_disk(None)).unwrap().is_empty());
    let silent = UndoApplyParams {
        undo_id: Uuid::nil(),
        files: vec![],
        keep_files: false,
    };
    assert!(left_to_write(&files, &silent).is_err());
}
