//! The replies of `trent dev` for people.

use super::table;
use crate::dev::{DevReply, FaultLine, Happened, Span};

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
        DevReply::Fault { id } => format!("Added fault {id}.\n"),
        DevReply::Faults { faults } => {
            table(["FAULT", "KIND", "OPERATIONS", "KEY", "RATE", "STRUCK", "SEED"], faults.iter().map(row))
        }
        DevReply::Done => "Done.\n".to_owned(),
    }
}

fn row(FaultLine { id, fault, struck }: &FaultLine) -> [String; 7] {
    let kind = clap::ValueEnum::to_possible_value(&fault.kind);
    let kind = kind.map(|kind| kind.get_name().to_owned()).unwrap_or_default();
    let all = |text: String| if text.is_empty() { "all".to_owned() } else { text };
    [
        id.to_string(),
        fault.delay.map_or(kind, |delay| format!("latency {delay}")),
        all(fault.operations.join(" ")),
        all(fault.key.clone().unwrap_or_default()),
        fault.rate.unwrap_or(1.0).to_string(),
        fault.count.map_or_else(|| struck.to_string(), |count| format!("{struck} of {count}")),
        fault.seed.to_string(),
    ]
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
