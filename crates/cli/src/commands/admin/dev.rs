//! The replies of `trent dev` for people.

use crate::dev::{DevReply, Happened, Span};

pub(super) fn text(reply: &DevReply) -> String {
    match reply {
        DevReply::Clock { now, ahead, happened, .. } => {
            let place = if *ahead == Span::from_millis(0) {
                "as the system's clock".to_owned()
            } else {
                format!("{ahead} ahead of the system's clock")
            };
            format!("{now}, {place}\n{}", happened.map(told).unwrap_or_default())
        }
    }
}

fn told(Happened { deleted, rotated, expired, settled }: Happened) -> String {
    let parts = [
        (deleted, "deleted"),
        (rotated, "rotated"),
        (expired, "left without expired material"),
        (settled, "settled"),
    ];
    let done: Vec<_> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {} {what}", if count == 1 { "key" } else { "keys" }))
        .collect();
    if done.is_empty() { "Nothing was due.\n".to_owned() } else { format!("{}.\n", done.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_told_in_a_line() {
        assert_eq!(told(Happened::default()), "Nothing was due.\n");
        let happened = Happened { deleted: 1, rotated: 2, ..Happened::default() };
        assert_eq!(told(happened), "1 key deleted, 2 keys rotated.\n");
    }
}
