//! Record batches as JSON: one object a row, nulls said, times in RFC 3339.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::JsonArray;
use serde_json::Value;

/// The text of an array of objects.
pub fn json_text(batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut bytes);
    writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
    writer.finish()?;
    drop(writer);
    if bytes.is_empty() {
        bytes.extend(b"[]");
    }
    Ok(bytes)
}

/// The rows as an array of objects.
pub fn json_rows(batches: &[RecordBatch]) -> Result<Value, ArrowError> {
    serde_json::from_slice(&json_text(batches)?).map_err(|error| ArrowError::JsonError(error.to_string()))
}
