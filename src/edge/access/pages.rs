//! What browsers are told about pages of other origins (CORS): nothing, unless the rules name the origin.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, VARY,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};

use super::Access;
use super::caller::{Caller, Page};
use crate::edge::body::ReplyBody;

/// A page of the internet asks whether it may call a private address.
const REQUEST_PRIVATE: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");
/// All that routes have. Which of them a path has is told by its own answer, which the page can read.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST");
/// How long a browser need not ask again, in seconds: rules may change.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
/// The longest list of headers that a page may ask for, in bytes.
const LONGEST_LIST: usize = 4096;

impl Access {
    /// The answer to a browser that asks whether a page named in the rules may send a request. It shows no key, since
    /// browsers send none then.
    pub fn preflight<B>(&self, caller: &Caller, request: &Request<B>) -> Option<Response<ReplyBody>> {
        let asked = request.headers();
        let named = matches!(caller.page, Page::Named(_));
        if !named
            || *request.method() != Method::OPTIONS
            || !asked.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        let mut response = Response::new(ReplyBody::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(wanted) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|list| is_list_of_names(list))
        {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        if asked.get(REQUEST_PRIVATE).is_some_and(|wants| wants == "true") {
            headers.insert(ALLOW_PRIVATE, HeaderValue::from_static("true"));
        }
        let also = "access-control-request-method, access-control-request-headers, access-control-request-private-network";
        headers.append(VARY, HeaderValue::from_static(also));
        Some(response)
    }

    /// Lets a page named in the rules read an answer with all its headers.
    pub fn share(&self, caller: &Caller, headers: &mut HeaderMap) {
        if self.around.origins.is_empty() {
            return;
        }
        if let Page::Named(origin) = &caller.page {
            let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
            if let Ok(names) = HeaderValue::try_from(names.join(", ")) {
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
            }
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
}

fn is_list_of_names(list: &HeaderValue) -> bool {
    let is_name = |name: &[u8]| HeaderName::from_bytes(name.trim_ascii()).is_ok();
    list.len() <= LONGEST_LIST && list.as_bytes().split(|byte| *byte == b',').all(is_name)
}
