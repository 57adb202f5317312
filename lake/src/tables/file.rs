//! One Parquet file of a table, read batch by batch through the table's store.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderOptions, RowFilter};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use std::ops::Range;
use std::sync::Arc;

const BATCH_ROWS: usize = 8192;

#[derive(Clone)]
pub(super) struct FileReader {
    pub store: Arc<dyn ObjectStore>,
    pub path: Path,
    pub size: u64,
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for FileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.store.get_range(&self.path, range).map_err(external).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(&'a mut self, _: Option<&'a ArrowReaderOptions>) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

pub(super) type Batches = ParquetRecordBatchStream<FileReader>;

impl FileReader {
    /// The columns named (all without), in the file's order; a column that the file does not have is left out.
    pub async fn read(self, columns: Option<&[&str]>) -> Result<Batches> {
        let builder = ParquetRecordBatchStreamBuilder::new(self).await?.with_batch_size(BATCH_ROWS);
        let Some(columns) = columns else { return builder.build() };
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        builder.with_projection(mask).build()
    }

    /// Bytes of its rows, not compressed.
    pub async fn weight(&mut self) -> Result<u64> {
        let metadata = self.get_metadata(None).await?;
        Ok(metadata.row_groups().iter().map(|group| u64::try_from(group.total_byte_size()).unwrap_or_default()).sum())
    }

    /// The rows whose text column has this value. Row groups that cannot have it, by their statistics, are not read;
    /// in the others only the rows that match are.
    pub async fn find(self, name: &str, value: &str) -> Result<Batches> {
        let builder = ParquetRecordBatchStreamBuilder::new(self).await?;
        let groups = {
            let converter = StatisticsConverter::try_new(name, builder.schema(), builder.parquet_schema())?;
            let metadata = builder.metadata().row_groups();
            let (least, most) = (converter.row_group_mins(metadata)?, converter.row_group_maxes(metadata)?);
            let (least, most) = (least.as_string::<i32>(), most.as_string::<i32>());
            let outside = |i| {
                let below = least.is_valid(i) && value < least.value(i);
                let above = most.is_valid(i) && value > most.value(i);
                below || above
            };
            (0..metadata.len()).filter(|&i| !outside(i)).collect()
        };
        let mask = ProjectionMask::columns(builder.parquet_schema(), [name]);
        let wanted = value.to_owned();
        let matches = ArrowPredicateFn::new(mask, move |batch: RecordBatch| {
            let texts = batch.column(0).as_string_opt::<i32>().ok_or_else(|| ArrowError::SchemaError("expected text".into()))?;
            Ok(texts.iter().map(|text| Some(text == Some(wanted.as_str()))).collect::<BooleanArray>())
        });
        builder.with_row_groups(groups).with_row_filter(RowFilter::new(vec![Box::new(matches)])).build()
    }
}
