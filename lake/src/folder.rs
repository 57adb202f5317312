//! The data folder: its format, its lock, its keys, and how it becomes durable as a whole.

use crate::LakeError;
use crate::model::Tenant;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What stands in `<folder>/format`. A binary refuses a newer one before it touches anything.
pub const FORMAT_VERSION: u32 = 1;

/// Opened by one process at a time; the lock goes with the process, so a killed one leaves none behind.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    keys: Mutex<HashMap<Tenant, Vec<u8>>>,
    _lock: File,
}

impl DataFolder {
    pub fn open(path: &Path) -> Result<DataFolder, LakeError> {
        let path = std::path::absolute(path).map_err(LakeError::folder(path))?;
        refuse_newer(&path)?;
        fs::create_dir_all(&path).map_err(LakeError::folder(&path))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(LakeError::folder(&lock_path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            rustix::io::Errno::WOULDBLOCK => LakeError::InUse(path.clone()),
            error => LakeError::folder(&lock_path)(error.into()),
        })?;
        // Another process may have been faster between the look at the format and the lock.
        refuse_newer(&path)?;
        for name in ["journal", "tables", "keys"] {
            let sub = path.join(name);
            fs::create_dir_all(&sub).map_err(LakeError::folder(&sub))?;
        }
        let format = path.join("format");
        if !format.exists() {
            write_durably(&format, format!("{FORMAT_VERSION}\n").as_bytes(), 0o644)?;
        }
        sync_file(&path)?;
        // Above the folder there may be nothing that this process can open, and then nothing that it has made.
        if let Some(parent) = path.parent()
            && File::open(parent).is_ok()
        {
            sync_file(parent)?;
        }
        Ok(DataFolder { path, keys: Mutex::default(), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    pub(crate) fn tables(&self) -> PathBuf {
        self.path.join("tables")
    }

    /// An error if so little space is left that the journal could fail in the middle of a write.
    pub(crate) fn has_space(&self) -> Result<(), LakeError> {
        // A disk that cannot be asked will say more when it is written to.
        let Ok(disk) = rustix::fs::statvfs(&self.path) else { return Ok(()) };
        let (free, total) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
        if free < reserve(total) { Err(LakeError::Full { folder: self.path.clone(), free }) } else { Ok(()) }
    }

    /// Makes everything written below the folder so far survive a power cut.
    pub fn sync(&self) -> Result<(), LakeError> {
        #[cfg(target_os = "linux")]
        {
            let folder = File::open(&self.path).map_err(LakeError::folder(&self.path))?;
            rustix::fs::syncfs(&folder).map_err(|error| LakeError::folder(&self.path)(error.into()))
        }
        #[cfg(not(target_os = "linux"))]
        sync_tree(&self.path)
    }

    /// The key of a tenant's pseudonyms: 32 random bytes, made once. Whoever deletes the file makes the pseudonyms untraceable.
    pub fn tenant_key(&self, tenant: &Tenant) -> Result<Vec<u8>, LakeError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(tenant) {
            return Ok(key.clone());
        }
        let path = self.path.join("keys").join(format!("{}.key", file_name(tenant.as_str())));
        let key = match fs::read(&path) {
            Ok(key) if key.len() == 32 => key,
            Ok(key) => {
                let reason = format!("a tenant's key has 32 bytes, this has {}; restore it from a backup", key.len());
                return Err(LakeError::Folder { path, reason });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut key = vec![0; 32];
                let random = Path::new("/dev/urandom");
                File::open(random).and_then(|mut source| source.read_exact(&mut key)).map_err(LakeError::folder(random))?;
                write_durably(&path, &key, 0o600)?;
                key
            }
            Err(error) => return Err(LakeError::folder(&path)(error)),
        };
        keys.insert(tenant.clone(), key.clone());
        Ok(key)
    }
}

/// Space for what was accepted already to go its way: the journal's own files, a flush, a clean end.
fn reserve(total: u64) -> u64 {
    (256 << 20).min(total / 10)
}

/// A tenant's name as a file's: what is not plain is escaped, what is too long is hashed.
fn file_name(name: &str) -> String {
    let plain = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    let escaped: String = name.bytes().map(|c| if plain(&c) { (c as char).to_string() } else { format!("%{c:02X}") }).collect();
    if escaped.len() <= 200 { escaped } else { format!("%{}", hex::encode(Sha256::digest(name))) }
}

fn refuse_newer(folder: &Path) -> Result<(), LakeError> {
    let path = folder.join("format");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(LakeError::folder(&path)(error)),
    };
    match text.trim().parse::<u32>() {
        Ok(found) if found <= FORMAT_VERSION => Ok(()),
        Ok(found) => Err(LakeError::Incompatible { folder: folder.to_owned(), found, known: FORMAT_VERSION }),
        Err(_) => {
            let reason = "it does not hold the number of a format; restore it from a backup".to_owned();
            Err(LakeError::Folder { path, reason })
        }
    }
}

/// A file that is there whole or not at all, whatever happens.
fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> Result<(), LakeError> {
    let folder = path.parent().expect("a file of the data folder is in it");
    let staged = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&staged)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&staged, path)
    };
    write().map_err(LakeError::folder(path))?;
    sync_file(folder)
}

pub(crate) fn sync_file(path: &Path) -> Result<(), LakeError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(LakeError::folder(path))
}

#[cfg(not(target_os = "linux"))]
fn sync_tree(folder: &Path) -> Result<(), LakeError> {
    for entry in fs::read_dir(folder).map_err(LakeError::folder(folder))? {
        let path = entry.map_err(LakeError::folder(folder))?.path();
        if path.is_dir() { sync_tree(&path)? } else { sync_file(&path)? }
    }
    sync_file(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataFolder::open(folder.path()).unwrap();
        let error = DataFolder::open(folder.path()).unwrap_err();
        assert!(matches!(error, LakeError::InUse(_)));
        assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
        drop(first);
        DataFolder::open(folder.path()).unwrap();
    }

    #[test]
    fn a_newer_format_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("format"), "2\n").unwrap();
        let error = DataFolder::open(folder.path()).unwrap_err();
        assert!(matches!(error, LakeError::Incompatible { found: 2, known: FORMAT_VERSION, .. }));
        assert_eq!(listing(folder.path()), ["format"]);
        assert_eq!(fs::read(folder.path().join("format")).unwrap(), b"2\n");
    }

    #[test]
    fn a_spoiled_format_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("format"), "one").unwrap();
        assert!(matches!(DataFolder::open(folder.path()), Err(LakeError::Folder { .. })));
        assert_eq!(listing(folder.path()), ["format"]);
    }

    #[test]
    fn a_small_disk_needs_less_in_reserve() {
        assert_eq!((reserve(64 << 20), reserve(1 << 40)), ((64 << 20) / 10, 256 << 20));
    }

    #[test]
    fn a_key_is_made_once_and_is_secret() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let hostile = Tenant::new("../../etc/a b");
        let key = DataFolder::open(folder.path()).unwrap().tenant_key(&hostile).unwrap();
        assert_eq!(key.len(), 32);
        let again = DataFolder::open(folder.path()).unwrap();
        assert_eq!(again.tenant_key(&hostile).unwrap(), key);
        assert_ne!(again.tenant_key(&Tenant::new("x".repeat(1000))).unwrap(), key);
        let keys = folder.path().join("keys");
        assert_eq!(listing(&keys).len(), 2);
        for name in listing(&keys) {
            assert_eq!(fs::metadata(keys.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
        }
        again.sync().unwrap();
    }
}
