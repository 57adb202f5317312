//! A local object store whose files are on the disk before they can be seen.
//!
//! `LocalFileSystem` of `object_store` 0.13 never syncs: after a power cut the newest file of a table's log can be there and empty, and
//! the table cannot be read any more. Here a file is written aside, synced, and only then gets its name.

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone)]
pub(super) struct DurableFiles(Arc<LocalFileSystem>);

impl DurableFiles {
    pub fn new() -> Self {
        DurableFiles(Arc::new(LocalFileSystem::new()))
    }

    async fn put_file(&self, location: &Path, payload: PutPayload, mode: PutMode) -> Result<PutResult> {
        let path = self.0.path_to_filesystem(location)?;
        let write = move || write_file(&path, payload, matches!(mode, PutMode::Create)).map_err(|error| described(error, &path));
        tokio::task::spawn_blocking(write).await??;
        Ok(PutResult { e_tag: None, version: None })
    }
}

fn described(error: io::Error, path: &FilePath) -> object_store::Error {
    let path = path.display().to_string();
    match error.kind() {
        ErrorKind::AlreadyExists => object_store::Error::AlreadyExists { path, source: error.into() },
        _ => object_store::Error::Generic { store: "DurableFiles", source: format!("{path}: {error}").into() },
    }
}

fn write_file(path: &FilePath, payload: PutPayload, create: bool) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    create_folders(folder)?;
    let (mut file, staged) = stage(path)?;
    let mut write = || {
        payload.iter().try_for_each(|bytes| file.write_all(bytes))?;
        file.sync_all()?;
        // A link fails if the name is taken, a rename takes it over: the two kinds of put.
        if create { fs::hard_link(&staged, path) } else { fs::rename(&staged, path) }
    };
    let result = write();
    if create || result.is_err() {
        let _ = fs::remove_file(&staged);
    }
    result?;
    File::open(folder)?.sync_all()
}

/// A new file beside `path`. `LocalFileSystem` leaves names that end in `#` and digits out of its listings.
fn stage(path: &FilePath) -> io::Result<(File, PathBuf)> {
    let mut number = 1_u64;
    loop {
        let mut staged = path.as_os_str().to_owned();
        staged.push(format!("#{number}"));
        match OpenOptions::new().write(true).create_new(true).open(&staged) {
            Ok(file) => return Ok((file, staged.into())),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

fn create_folders(folder: &FilePath) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    create_folders(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(parent)?.sync_all()
}

impl fmt::Display for DurableFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DurableFiles")
    }
}

#[async_trait]
impl ObjectStore for DurableFiles {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if let PutMode::Update(_) = options.mode {
            return self.0.put_opts(location, payload, options).await;
        }
        self.put_file(location, payload, options.mode).await
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Parts { files: self.clone(), location: location.clone(), parts: Arc::default() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        self.0.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.0.rename_opts(from, to, options).await
    }
}

/// A large file comes in parts; it is collected and written at once.
#[derive(Debug)]
struct Parts {
    files: DurableFiles,
    location: Path,
    parts: Arc<Mutex<Vec<PutPayload>>>,
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push(data);
        Box::pin(std::future::ready(Ok(())))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
        let payload = parts.iter().flat_map(PutPayload::iter).cloned().collect();
        self.files.put_file(&self.location, payload, PutMode::Overwrite).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;

    #[tokio::test]
    async fn a_name_is_given_once_or_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let files = DurableFiles::new();
        let path = Path::from_absolute_path(folder.path().join("a").join("b.json")).unwrap();
        let create = PutOptions::from(PutMode::Create);
        files.put_opts(&path, "one".into(), create.clone()).await.unwrap();
        let error = files.put_opts(&path, "two".into(), create).await.unwrap_err();
        assert!(matches!(error, object_store::Error::AlreadyExists { .. }), "{error}");
        assert_eq!(files.get(&path).await.unwrap().bytes().await.unwrap(), "one");
        files.put(&path, "three".into()).await.unwrap();
        let mut upload = files.put_multipart(&path).await.unwrap();
        upload.put_part("four, ".into()).await.unwrap();
        upload.put_part("five".into()).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(files.get(&path).await.unwrap().bytes().await.unwrap(), "four, five");
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }
}
