//! The fuzz target without a fuzzer: its corpus, the corpus with damage, and noise. (`cargo +nightly fuzz run token` in
//! this crate's directory goes on for as long as one likes, and adds to the corpus.)

#[path = "../fuzz/one_input.rs"]
mod one_input;

use proptest::prelude::*;

fn corpus() -> Vec<Vec<u8>> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/token");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).expect("the corpus").map(|f| f.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("read")).collect()
}

#[test]
fn an_input_of_the_corpus_breaks_it() {
    let corpus = corpus();
    assert!(corpus.len() > 20, "{}", corpus.len());
    corpus.iter().for_each(|input| one_input::one_input(input));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_input_breaks_it(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in prop::collection::vec(any::<u8>(), 0..4),
        cut in 0usize..4,
    ) {
        let mut input = which.get(&corpus()).clone();
        if !input.is_empty() {
            let from = at.index(input.len());
            let to = (from + cut).min(input.len());
            input.splice(from..to, with);
        }
        one_input::one_input(&input);
    }

    #[test]
    fn noise_breaks_it(input in prop::collection::vec(any::<u8>(), 0..300)) {
        one_input::one_input(&input);
    }
}
