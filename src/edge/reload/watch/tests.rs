//! Real files and real time, in a folder of each test's own. Every wait is for a sign, bounded by `SOON`.

use super::*;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rulegate-watch-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.file(name), text).unwrap();
        self.file(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(files: &[PathBuf]) -> Vec<Seen> {
    files.iter().map(|file| Seen::new(&Disk, file, &Disk.read(file))).collect()
}

async fn following(files: &[PathBuf]) -> FileWatch {
    let mut watch = FileWatch::new();
    watch.follow(&read(files)).await;
    watch
}

async fn notices(watch: &mut FileWatch) {
    timeout(SOON, watch.changed()).await.expect("the change was not noticed");
    let files: Vec<_> = watch.files.iter().map(|file| file.path.clone()).collect();
    watch.follow(&read(&files)).await;
}

#[tokio::test]
async fn a_save_in_place_and_a_save_by_rename_are_noticed() {
    let folder = Folder::new("save");
    let file = folder.write("rules.yaml", "one");
    let mut watch = following(std::slice::from_ref(&file)).await;
    folder.write("rules.yaml", "two");
    notices(&mut watch).await;
    for text in ["three", "four"] {
        fs::rename(folder.write(".rules.swp", text), &file).unwrap();
        notices(&mut watch).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_swapped_symlink_is_noticed_again_and_again() {
    let folder = Folder::new("symlink");
    let swap = |version: &str| {
        fs::create_dir_all(folder.file(version)).unwrap();
        fs::write(folder.file(version).join("rules.yaml"), version).unwrap();
        std::os::unix::fs::symlink(version, folder.file("..data_tmp")).unwrap();
        fs::rename(folder.file("..data_tmp"), folder.file("..data")).unwrap();
    };
    swap("..v1");
    std::os::unix::fs::symlink("..data/rules.yaml", folder.file("rules.yaml")).unwrap();
    let mut watch = following(&[folder.file("rules.yaml")]).await;
    for version in ["..v2", "..v3"] {
        swap(version);
        notices(&mut watch).await;
    }
}

#[tokio::test]
async fn a_file_that_appears_or_goes_is_noticed() {
    let folder = Folder::new("appear");
    let rules = folder.write("rules.yaml", "");
    let mut watch = following(&[rules, folder.file("tokens.txt")]).await;
    folder.write("tokens.txt", "key=1");
    notices(&mut watch).await;
    fs::remove_file(folder.file("tokens.txt")).unwrap();
    notices(&mut watch).await;
    folder.write("more.yaml", "");
    notices(&mut watch).await;
}

#[tokio::test]
async fn the_poll_notices_what_no_event_tells() {
    let folder = Folder::new("poll");
    let file = folder.write("rules.yaml", "one");
    let mut watch = following(&[file]).await;
    (watch.events, watch.poll) = (None, Duration::from_millis(10));
    folder.write("rules.yaml", "two");
    notices(&mut watch).await;
}

#[tokio::test]
async fn a_file_that_is_still_being_written_is_waited_for() {
    let folder = Folder::new("half");
    let file = folder.write("rules.yaml", "one");
    let mut watch = following(std::slice::from_ref(&file)).await;
    let writing = async {
        // A slow copy: longer than a restless folder is waited for.
        for count in 0..40 {
            folder.write("rules.yaml", &"two ".repeat(count));
            sleep(Duration::from_millis(75)).await;
        }
        folder.write("rules.yaml", "whole");
    };
    let noticed = async {
        timeout(SOON, watch.changed()).await.expect("the change was not noticed");
        fs::read_to_string(&file).unwrap()
    };
    let ((), text) = tokio::join!(writing, noticed);
    assert_eq!(text, "whole");
}

#[tokio::test]
async fn the_same_content_is_no_change() {
    let folder = Folder::new("same");
    let watch = following(&[folder.write("rules.yaml", "one")]).await;
    let before = watch.look().await;
    folder.write("rules.yaml", "one");
    folder.write("router.log", "a line");
    assert_eq!(watch.look().await, before);
    folder.write("rules.yaml", "two");
    assert_ne!(watch.look().await, before);
}

#[tokio::test]
async fn a_save_that_was_taken_back_after_the_rules_were_read_is_noticed() {
    let folder = Folder::new("back");
    let file = folder.write("rules.yaml", "one");
    let mut watch = following(std::slice::from_ref(&file)).await;
    folder.write("rules.yaml", "two");
    let two = read(&[file]);
    folder.write("rules.yaml", "one");
    watch.follow(&two).await;
    notices(&mut watch).await;
}

#[cfg(unix)]
#[test]
fn what_is_written_beside_the_rules_wakes_nobody() {
    use notify::event::{CreateKind, DataChange, RenameMode};
    let folder = Folder::new("concerns");
    let concerns: HashSet<OsString> = ["rules.yaml", "tokens.txt"].map(OsString::from).into();
    let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let read = EventKind::Access(AccessKind::Open(AccessMode::Read));
    let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
    let made = EventKind::Create(CreateKind::File);
    let is_sign =
        |kind: EventKind, name: &str| is_sign(&Event::new(kind).add_path(folder.file(name)), &concerns);
    folder.write("router.log", "");
    folder.write("rules.state.json", "");
    for kind in [written, closed, renamed, made] {
        for name in ["router.log", "rules.state.json", "rules.state.json.new"] {
            assert!(!is_sign(kind, name), "{kind:?} {name}");
        }
        for name in ["rules.yaml", "tokens.txt", "another.yml"] {
            assert!(is_sign(kind, name), "{kind:?} {name}");
        }
    }
    assert!(!is_sign(read, "rules.yaml"));
    // What other names lead through: a link that is swapped, a folder that is replaced.
    std::os::unix::fs::symlink("..v1", folder.file("..data")).unwrap();
    fs::create_dir(folder.file("..v1")).unwrap();
    assert!(is_sign(renamed, "..data") && is_sign(made, "..v1"));
    assert!(super::is_sign(&Event::new(EventKind::Other), &concerns), "events were missed");
}
