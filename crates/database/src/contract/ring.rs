//! The key ring and the settings of the deployment.

use super::Subject;
use crate::{DatabaseError, RingKey};

pub(crate) async fn keys_and_settings_are_kept_and_replaced(subject: Subject) {
    let key = |name: &str, sealed: u8| RingKey { name: name.to_owned(), sealed: vec![sealed; 3] };
    let both = [key("b", 2), key("a", 1)];
    subject.write(move |records| both.iter().try_for_each(|key| records.insert_ring_key(key))).await;
    assert_eq!(subject.read(|records| records.ring_keys()).await, [key("a", 1), key("b", 2)]);
    assert_eq!(subject.read(|records| records.ring_key("b")).await, Some(key("b", 2)));
    assert_eq!(subject.read(|records| records.ring_key("c")).await, None);
    subject.try_write(move |records| records.insert_ring_key(&key("a", 9))).await.expect_err("it is there");
    subject.write(move |records| records.replace_ring_key(&key("a", 3))).await;
    assert_eq!(subject.read(|records| records.ring_key("a")).await, Some(key("a", 3)));
    let refused = subject.try_write(move |records| records.replace_ring_key(&key("c", 1))).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Conflict { table: "ring_keys", .. }), "{refused}");

    for _ in 0..2 {
        subject.write(move |records| records.delete_ring_key("a")).await;
        assert_eq!(subject.read(|records| records.ring_keys()).await, [key("b", 2)]);
    }

    assert_eq!(subject.read(|records| records.setting("x")).await, None);
    for value in [&b"one"[..], b""] {
        subject.write(move |records| records.put_setting("x", value)).await;
        assert_eq!(subject.read(|records| records.setting("x")).await, Some(value.to_vec()));
    }
}
