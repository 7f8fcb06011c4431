//! Pages: how many entries one has, and the tokens that lead to the next.
//!
//! A token is our own place in a list, signed: a client can neither make one up nor use it for another query. AWS's tokens expire
//! after 24 hours; ours stay good as long as the list is there, which no client can mind.

use engine::tokens::{Purpose, Signer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::request::Request;

const DEFAULT_SIZE: usize = 100;

/// `maxResults`; 0 and absent are the default.
pub(super) fn size(request: &Request) -> usize {
    match request.integer("maxResults") {
        None | Some(0) => DEFAULT_SIZE,
        Some(size) => usize::try_from(size).unwrap_or(DEFAULT_SIZE),
    }
}

/// The first `size` entries of what is left of a list; and the last of them, if more follow.
pub(crate) fn page<T>(rest: impl Iterator<Item = T>, size: usize) -> (Vec<T>, Option<T>)
where
    T: Copy,
{
    let mut page: Vec<T> = rest.take(size.saturating_add(1)).collect();
    let more = page.len() > size;
    page.truncate(size);
    let last = page.last().copied().filter(|_| more);
    (page, last)
}

/// A place in a list of a query.
#[derive(Serialize, serde::Deserialize)]
struct Bookmark<Query, Place> {
    q: Query,
    p: Place,
}

/// The place that the request's token leads to; `None` without a token. A token of another query is refused.
pub(super) fn place<Query, Place>(signer: &Signer, request: &Request, query: &Query) -> Result<Option<Place>, ApiError>
where
    Query: DeserializeOwned + PartialEq,
    Place: DeserializeOwned,
{
    let Some(token) = request.text("nextToken") else { return Ok(None) };
    let bookmark: Bookmark<Query, Place> = signer.verified(Purpose::Page, token).ok_or(ApiError::InvalidToken)?;
    if bookmark.q == *query { Ok(Some(bookmark.p)) } else { Err(ApiError::InvalidToken) }
}

pub(super) fn token(signer: &Signer, query: impl Serialize, place: impl Serialize) -> String {
    signer.sign(Purpose::Page, &Bookmark { q: query, p: place })
}

#[cfg(test)]
mod tests {
    use engine::tokens::Keys;

    use super::*;
    use crate::executions::list::LIST_EXECUTIONS;

    fn request(token: &str) -> Request {
        Request::parse(format!(r#"{{"nextToken":"{token}"}}"#).as_bytes(), LIST_EXECUTIONS.shape).unwrap()
    }

    #[test]
    fn a_token_leads_back_to_its_place_in_its_own_query_only() {
        let signer = Signer::new(Keys::one([7; 32]));
        let token = token(&signer, "query", 42);
        let place_of = |signer: &Signer, token: &str, query: &str| {
            place::<String, u64>(signer, &request(token), &query.to_owned())
        };
        assert_eq!(place_of(&signer, &token, "query"), Ok(Some(42)));
        assert_eq!(place_of(&signer, &token, "another"), Err(ApiError::InvalidToken));
        assert_eq!(place_of(&Signer::new(Keys::one([8; 32])), &token, "query"), Err(ApiError::InvalidToken));
        assert_eq!(place_of(&signer, "nonsense", "query"), Err(ApiError::InvalidToken));
    }

    #[test]
    fn a_page_has_a_hundred_entries_unless_told() {
        for (body, expected) in [("{}", 100), (r#"{"maxResults":0}"#, 100), (r#"{"maxResults":7}"#, 7)] {
            assert_eq!(size(&Request::parse(body.as_bytes(), LIST_EXECUTIONS.shape).unwrap()), expected);
        }
    }
}
