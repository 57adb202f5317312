//! How the program ends: one line that names the thing and the fix, and a code that says whose turn it is.

use flowgauge_lake::LakeError;
use flowgauge_query::QueryError;
use flowgauge_web::config::ConfigError;
use std::process::ExitCode;

/// The command line or the configuration is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Prints the error and gives the exit code: 1 it failed, 2 wrong usage or configuration, 3 incompatible data.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    let text = format!("{error:#}");
    // A branch or a service from outside must not steer the terminal.
    let text: String = text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect();
    let line = text.trim_end();
    #[expect(clippy::print_stderr, reason = "the last words of a command")]
    {
        eprintln!("flowgauge: {line}");
    }
    ExitCode::from(code(error))
}

fn code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(LakeError::Incompatible { .. }) = cause.downcast_ref::<LakeError>() {
            return 3;
        }
        let is_usage =
            cause.is::<Usage>() || cause.is::<ConfigError>() || cause.downcast_ref::<QueryError>().is_some_and(QueryError::is_askers);
        if is_usage || matches!(cause.downcast_ref::<LakeError>(), Some(LakeError::InUse(_))) {
            return 2;
        }
    }
    1
}
