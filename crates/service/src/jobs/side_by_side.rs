//! Waits for many at once.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// What all of these answer, each of them having gone on while the others waited.
pub(super) async fn side_by_side<T>(all: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<Pin<Box<_>>> = all.into_iter().map(Box::pin).collect();
    let mut answers: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (one, answer) in all.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(ready) = one.as_mut().poll(context) {
                *answer = Some(ready);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}
