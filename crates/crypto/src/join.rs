//! Joins pieces into one slice, on the stack when they are short.
//!
//! AWS-LC takes associated data and derivation inputs in one piece; on the path of a request that must not cost
//! an allocation. Not for secrets: the copy is not wiped.

/// What fits on the stack: a blob header and an encryption context of two or three ordinary pairs.
const STACK_BYTES: usize = 256;

/// Calls `use_joined` with all `parts`, one after the other.
pub(crate) fn join<R>(parts: &[&[u8]], use_joined: impl FnOnce(&[u8]) -> R) -> R {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut stack = [0; STACK_BYTES];
    match stack.get_mut(..length) {
        Some(joined) => {
            copy_all(parts, joined);
            use_joined(joined)
        }
        None => use_joined(&parts.concat()),
    }
}

fn copy_all(parts: &[&[u8]], mut into: &mut [u8]) {
    for part in parts {
        let (here, rest) = into.split_at_mut(part.len());
        here.copy_from_slice(part);
        into = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_joins_agree_with_concatenation() {
        for length in [0, 1, 127, 128, 129, 1000] {
            let (first, second) = (vec![1; length], vec![2; length]);
            let expected = [first.as_slice(), second.as_slice()].concat();
            assert_eq!(join(&[&first, &second], <[u8]>::to_vec), expected);
        }
    }
}
