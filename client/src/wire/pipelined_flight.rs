//! Several statements in one flight.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;

use futures_util::future::{MaybeDone, join, join_all, join4, maybe_done};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error as PgError, Statement};

use crate::wire::flight::{Failed, Flight, enter, finish_if, prepare_alongside, run};
use crate::wire::form::Form;
use crate::wire::outcome::is_answered;
use crate::wire::preamble::Messages;
use crate::wire::step::{Answer, Step, Then};

/// `preamble` before statements, each with its form, and perhaps commit behind them.
pub(crate) async fn fly_all(
    client: &Client,
    preamble: Messages<'_>,
    forms: &[Form],
    steps: &[Step<'_>],
    then: Then,
) -> (Flight<Vec<Answer>>, Vec<Option<Result<Statement, PgError>>>) {
    let unsent = AtomicBool::new(false);
    // A text that occurs more than once is prepared once.
    let prepared = forms.iter().zip(steps).enumerate().map(|(at, (form, step))| {
        let first = steps.iter().position(|other| other.sql == step.sql) == Some(at);
        async move { if first { prepare_alongside(client, form, step.sql).await } else { None } }
    });
    let prepared = async {
        // Empty where all are known, as nearly always.
        let any = forms.iter().any(|form| matches!(form, Form::Typed(_)));
        if any { join_all(prepared).await } else { Vec::new() }
    };
    let (entered, prepared, answers, committed) = join4(
        enter(client, preamble),
        prepared,
        run_all(client, forms, steps, &unsent),
        finish_if(client, then, &unsent),
    )
    .await;
    let unparsed = |step: &Step<'_>| {
        let failed = |prepared: &Option<Result<_, _>>| matches!(prepared, Some(Err(error)) if is_answered(error));
        prepared.iter().zip(steps).any(|(prepared, other)| failed(prepared) && other.sql == step.sql)
    };
    let (mut done, mut first, mut ran) = (Vec::with_capacity(steps.len()), None, false);
    for (at, (answer, step)) in answers.into_iter().zip(steps).enumerate() {
        match answer {
            Ok(answer) => {
                ran = true;
                done.push(answer);
            }
            Err(failed) => {
                ran |= failed.ran && !unparsed(step);
                first.get_or_insert(Failed { at, ..failed });
            }
        }
    }
    let answer = first.map_or(Ok(done), |failed| Err(Failed { ran, ..failed }));
    (Flight { entered, answer, committed }, prepared)
}

/// `preamble` before preparing statements, whose parameters are of these types as far as they are said.
pub(crate) async fn prepare_all(
    client: &Client,
    preamble: Messages<'_>,
    texts: &[&str],
    types: &[Type],
) -> Flight<Vec<Statement>> {
    let prepared = join_all(texts.iter().map(|sql| client.prepare_typed(sql, types)));
    let (entered, prepared) = join(enter(client, preamble), prepared).await;
    let answer = prepared
        .into_iter()
        .enumerate()
        .map(|(at, prepared)| prepared.map_err(|error| Failed { at, ..Failed::from(error) }))
        .collect();
    Flight { entered, answer, committed: None }
}

/// All are sent in the first poll, in order, up to one that cannot be. They are answered in that order too.
async fn run_all(
    client: &Client,
    forms: &[Form],
    steps: &[Step<'_>],
    unsent: &AtomicBool,
) -> Vec<Result<Answer, Failed>> {
    let mut flying = Vec::with_capacity(steps.len());
    let mut waiting = forms.iter().zip(steps);
    poll_fn(|cx| {
        for (form, step) in waiting.by_ref() {
            let mut sent: Pin<Box<MaybeDone<_>>> = Box::pin(maybe_done(run(client, form, *step, unsent)));
            let _ = sent.as_mut().poll(cx);
            flying.push(sent);
            if unsent.load(Relaxed) {
                break;
            }
        }
        Poll::Ready(())
    })
    .await;

    let mut answers = Vec::with_capacity(flying.len());
    for mut sent in flying {
        sent.as_mut().await;
        answers.extend(sent.as_mut().take_output());
    }
    answers
}
