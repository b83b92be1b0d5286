//! Errors as the contract spells them.

use std::io;

use http::{Response, StatusCode};
use openmiosa_link::server::{Body, fail};

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
}

/// What a handler comes to.
pub type Outcome<T> = Result<T, Problem>;

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// No such sandbox, process, snapshot or file.
    pub fn not_found(what: impl AsRef<str>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {}", what.as_ref()))
    }

    /// The request does not make sense.
    pub fn invalid(why: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", why)
    }

    /// The path does not name a file that may be touched.
    pub fn invalid_path(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_path", why)
    }

    /// It is there already, and not the same.
    pub fn exists(what: impl AsRef<str>) -> Self {
        Self::new(StatusCode::CONFLICT, "exists", format!("{} exists already", what.as_ref()))
    }

    /// A folder where a file was wanted.
    pub fn is_directory(path: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "is_directory",
            format!("{path} is a directory; pass recursive=true to delete it, or name a file in it"),
        )
    }

    /// Neither a regular file nor a folder.
    pub fn not_a_file(path: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "not_a_file", format!("{path} is not a regular file"))
    }

    /// Above a limit.
    pub fn too_large(why: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", why)
    }

    /// As many as there may be are there.
    pub fn too_many(why: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", why)
    }

    /// The sandbox or the process is not in a state for that.
    pub fn not_running(why: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "not_running", why)
    }

    /// This host cannot isolate.
    pub fn host_unsupported(why: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "host_unsupported", why)
    }

    /// Our fault.
    pub fn internal(why: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", why)
    }

    /// What the kernel said about a path, in the contract's words.
    pub fn from_path(path: &str, error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOENT) => Self::not_found(format!("file {path}")),
            Some(libc::EISDIR | libc::ENOTEMPTY) => Self::is_directory(path),
            Some(libc::EEXIST) => Self::exists(path),
            Some(libc::ENOTDIR) => Self::not_a_file(path),
            Some(libc::ENOSPC | libc::EDQUOT) => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "no_space", format!("no space is left for {path}; delete files and try again"))
            }
            Some(libc::EFBIG) => Self::too_large(format!("{path} would be too large")),
            Some(libc::EACCES | libc::EPERM | libc::EROFS) => Self::invalid_path(format!("{path} may not be changed or read: {error}")),
            Some(libc::ELOOP | libc::EXDEV | libc::ENAMETOOLONG | libc::EINVAL | libc::ENXIO | libc::EAGAIN) => {
                Self::invalid_path(format!("{path} cannot be used: {error}"))
            }
            _ => Self::internal(format!("{path}: {error}")),
        }
    }

    /// As an answer.
    pub fn response(&self) -> Response<Body> {
        if self.status.is_server_error() {
            tracing::warn!(code = self.code, message = %self.message, "request failed");
        }
        fail(self.status, self.code, &self.message)
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::internal(error.to_string())
    }
}
