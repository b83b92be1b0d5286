//! Content codings that an upstream used although it was asked not to: undone on the way, or refused.

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use futures_util::TryStreamExt;
use http::{HeaderMap, header};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use tokio::io::{AsyncBufRead, AsyncRead, BufReader};
use tokio_util::io::{ReaderStream, StreamReader};

use crate::relay::{Body, BoxError};

/// More than this many codings on top of each other are nobody's habit.
const MOST: usize = 2;

/// A coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// The codings in the order in which they were put on; `None` when one of them is unknown.
pub fn named(headers: &HeaderMap) -> Option<Vec<Coding>> {
    let mut codings = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for word in value.to_str().ok()?.split(',').map(str::trim) {
            match word.to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                "deflate" => codings.push(Coding::Deflate),
                "br" => codings.push(Coding::Brotli),
                "zstd" => codings.push(Coding::Zstd),
                _ => return None,
            }
        }
    }
    (codings.len() <= MOST).then_some(codings)
}

/// The body without its codings. A body that is not what its head says breaks off.
pub fn opened(body: Body, codings: &[Coding]) -> Body {
    if codings.is_empty() {
        return body;
    }
    let chunks = BodyStream::new(body).try_filter_map(|frame| async move { Ok(frame.into_data().ok()) }).map_err(std::io::Error::other);
    let mut reader: Box<dyn AsyncBufRead + Send + Unpin> = Box::new(StreamReader::new(Box::pin(chunks)));
    for coding in codings.iter().rev() {
        reader = Box::new(BufReader::new(decoder(*coding, reader)));
    }
    StreamBody::new(ReaderStream::new(reader).map_ok(Frame::data).map_err(BoxError::from)).boxed_unsync()
}

fn decoder(coding: Coding, coded: Box<dyn AsyncBufRead + Send + Unpin>) -> Box<dyn AsyncRead + Send + Unpin> {
    match coding {
        Coding::Gzip => {
            let mut gzip = GzipDecoder::new(coded);
            gzip.multiple_members(true);
            Box::new(gzip)
        }
        Coding::Deflate => Box::new(ZlibDecoder::new(coded)),
        Coding::Brotli => Box::new(BrotliDecoder::new(coded)),
        Coding::Zstd => Box::new(ZstdDecoder::new(coded)),
    }
}
