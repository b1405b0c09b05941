//! Pages: how many items, beginning where, and how to go on.

use trent_gate::{Gate, MarkerScope};

use crate::error::KmsError;

/// How many items a page of a list has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageSizes {
    /// When the request does not say.
    pub(crate) default: usize,
    /// At the most.
    pub(crate) max: usize,
}

impl PageSizes {
    /// The size that a request asks for: a rule about the request alone, so it is asked before any key is looked up.
    // The model's maximum is 1000 for every list; those of the operations are lower and answered in the same words.
    pub(crate) fn asked(self, limit: Option<i32>) -> Result<usize, KmsError> {
        let Some(limit) = limit else { return Ok(self.default) };
        match usize::try_from(limit) {
            Ok(size) if size <= self.max => Ok(size),
            _ => {
                let violated = format!("Member must have value less than or equal to {}", self.max);
                Err(KmsError::constraint(&format!("'{limit}'"), "limit", &violated))
            }
        }
    }
}

/// ListKeys, ListKeyPolicies, ListKeyRotations.
pub(crate) const LARGE: PageSizes = PageSizes { default: 100, max: 1_000 };
/// ListAliases.
pub(crate) const MEDIUM: PageSizes = PageSizes { default: 50, max: 100 };
/// ListResourceTags.
pub(crate) const SMALL: PageSizes = PageSizes { default: 50, max: 50 };

/// What a request asks of a list: a number of items that follow a position.
pub(crate) struct Page<'a> {
    scope: MarkerScope<'a>,
    /// How many items at most.
    pub(crate) size: usize,
    /// The last item of the page before.
    pub(crate) after: Option<String>,
}

/// A page of items, and the marker of the next one if there is one.
pub(crate) struct Cut<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_marker: Option<String>,
    pub(crate) truncated: bool,
}

impl<'a> Page<'a> {
    /// The page of `size` items that begins at the marker of a request.
    pub(crate) fn parse(
        gate: &Gate,
        scope: MarkerScope<'a>,
        size: usize,
        marker: Option<&str>,
    ) -> Result<Self, KmsError> {
        let after = marker.map(|marker| gate.open_marker(&scope, marker)).transpose()?;
        Ok(Self { scope, size, after })
    }

    /// How many items to fetch: one more than the page has tells whether there is a next page.
    pub(crate) fn fetch(&self) -> usize {
        self.size + 1
    }

    /// Makes the page of the items fetched. `position` is what names an item in a marker.
    pub(crate) fn cut<T>(
        &self,
        gate: &Gate,
        mut items: Vec<T>,
        position: impl Fn(&T) -> String,
    ) -> Result<Cut<T>, KmsError> {
        let truncated = items.len() > self.size;
        items.truncate(self.size);
        let last = items.last().filter(|_| truncated);
        let seal =
            |item| gate.seal_marker(&self.scope, &position(item)).map_err(|error| KmsError::internal(&error));
        let next_marker = last.map(seal).transpose()?;
        Ok(Cut { items, next_marker, truncated })
    }
}
