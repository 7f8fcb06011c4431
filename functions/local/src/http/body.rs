//! Reads the body of a request within limits of time and size.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use service::wire::MOST_BYTES;

use super::limits::Room;

/// From the head of a request to the end of its body.
pub const BODY_TIME: Duration = Duration::from_secs(30);
/// Bytes that are read and discarded of a body that is too large: a client that is still sending would otherwise get a
/// reset and never read the response.
const OVERFLOW_BYTES: usize = 16 << 20;
const OVERFLOW_TIME: Duration = Duration::from_secs(1);

/// Why a body was not collected.
pub enum Uncollected {
    TooLarge,
    NoRoom,
    BrokenOff,
}

/// The whole body, if the server has room for it.
pub async fn collect<B: Body<Data = Bytes>>(mut body: Pin<&mut B>, room: &mut Room) -> Result<Vec<u8>, Uncollected> {
    let mut all = Vec::new();
    // Refused before it arrives, where its length is known.
    if body.size_hint().lower() > MOST_BYTES as u64 {
        return Err(Uncollected::TooLarge);
    }
    while let Some(frame) = body.as_mut().frame().await {
        let frame = frame.map_err(|_| Uncollected::BrokenOff)?;
        let Some(data) = frame.data_ref() else { continue };
        if data.len() > MOST_BYTES - all.len() {
            return Err(Uncollected::TooLarge);
        }
        if !room.grow(data.len()) {
            return Err(Uncollected::NoRoom);
        }
        all.extend_from_slice(data);
    }
    Ok(all)
}

/// Reads and discards the rest of a body, up to a limit of bytes and time.
pub async fn throw_away(body: Pin<&mut impl Body<Data = Bytes>>) {
    let _in_vain = tokio::time::timeout(OVERFLOW_TIME, discard(body)).await;
}

async fn discard(mut body: Pin<&mut impl Body<Data = Bytes>>) {
    let mut left = OVERFLOW_BYTES;
    while let Some(Ok(frame)) = body.as_mut().frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
