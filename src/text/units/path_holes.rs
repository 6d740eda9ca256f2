//! Paths of routes, in which whole parts may be holes with a name: `/v1/models/{id}`.

use percent_encoding::percent_decode_str;

/// A path with at least one hole. A hole takes one part of a path, which is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathHoles {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Fixed(String),
    Hole(String),
}

impl PathHoles {
    /// Reads a path; `None` if it has no holes.
    ///
    /// # Errors
    /// What is wrong with its holes.
    pub fn parse(path: &str) -> Result<Option<PathHoles>, &'static str> {
        if !path.contains(['{', '}']) {
            return Ok(None);
        }
        let parts: Vec<Part> = path.split('/').map(part).collect::<Result<_, _>>()?;
        let names: Vec<&str> = parts.iter().filter_map(Part::name).collect();
        let is_twice = |(place, name): (usize, &&str)| names.iter().take(place).any(|other| other == name);
        if names.iter().enumerate().any(is_twice) {
            return Err("two holes have the same name");
        }
        Ok(Some(PathHoles { parts }))
    }

    /// The holes' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(Part::name)
    }

    /// Whether a path has something in each hole and is the same everywhere else.
    pub fn fits(&self, path: &str) -> bool {
        let mut asked = path.split('/');
        let fits = |part: &Part| match (part, asked.next()) {
            (Part::Fixed(ours), Some(theirs)) => ours == theirs,
            (Part::Hole(_), Some(theirs)) => !theirs.is_empty(),
            (_, None) => false,
        };
        self.parts.iter().all(fits) && asked.next().is_none()
    }

    /// What stands in the holes of a path that fits, with percent-encoding undone.
    pub fn values(&self, path: &str) -> Vec<(&str, String)> {
        let text = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let pairs = self.parts.iter().zip(path.split('/'));
        pairs.filter_map(|(part, asked)| Some((part.name()?, text(asked)))).collect()
    }
}

impl Part {
    fn name(&self) -> Option<&str> {
        match self {
            Part::Hole(name) => Some(name),
            Part::Fixed(_) => None,
        }
    }
}

fn part(part: &str) -> Result<Part, &'static str> {
    let Some(name) = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        let is_plain = !part.contains(['{', '}']);
        return if is_plain {
            Ok(Part::Fixed(part.to_owned()))
        } else {
            Err("a hole is a whole part: /{id}")
        };
    };
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name { Ok(Part::Hole(name.to_owned())) } else { Err("a hole has a name of letters: /{id}") }
}

#[cfg(test)]
mod tests {
    use super::PathHoles;

    #[test]
    fn holes_take_one_part_each() {
        let holes = PathHoles::parse("/v1/{kind}/x/{id}").unwrap().unwrap();
        assert_eq!(holes.names().collect::<Vec<_>>(), ["kind", "id"]);
        for (path, expected) in [
            ("/v1/a/x/b", Some("a b")),
            ("/v1/a/x/b%2Fc%20d", Some("a b/c d")),
            ("/v1/a/x/%FF%", Some("a \u{fffd}%")),
            ("/v1/a/x/", None),
            ("/v1//x/b", None),
            ("/v1/a/x/b/", None),
            ("/v1/a/x", None),
            ("/v1/a/y/b", None),
            ("/v2/a/x/b", None),
            ("", None),
        ] {
            let values = || holes.values(path).into_iter().map(|(_, value)| value).collect::<Vec<_>>();
            assert_eq!(holes.fits(path).then(|| values().join(" ")).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_hole_is_a_whole_part_with_a_name_of_its_own() {
        assert_eq!(PathHoles::parse("/v1/models"), Ok(None));
        for path in ["/v1/x{id}", "/v1/{id}x", "/v1/{}", "/v1/{a b}", "/v1/{1}", "/v1/{id", "/{id}/{id}"] {
            assert!(PathHoles::parse(path).is_err(), "{path}");
        }
    }
}
