use super::*;
use crate::decision::Verdict;

fn answer(id: &str) -> Arc<Answer> {
    Arc::new(Answer { decision_id: id.to_owned(), verdict: Verdict::default() })
}

fn key(name: &str) -> Key {
    name.as_bytes().into()
}

fn later(millis: u64) -> Duration {
    clock::uptime() + Duration::from_millis(millis)
}

fn has(cache: &Cache, name: &str) -> bool {
    cache.get(name.as_bytes()).is_some_and(|answer| answer.decision_id == name)
}

#[test]
fn keeps_an_answer_until_its_end_and_not_after() {
    let cache = Cache::new(1 << 20);
    cache.keep(key("a"), &answer("a"), 0, Some(later(60_000)));
    cache.keep(key("b"), &answer("b"), 0, Some(later(20)));
    assert!(has(&cache, "a"));
    std::thread::sleep(Duration::from_millis(20));
    assert!(has(&cache, "a") && !has(&cache, "b"));
    cache.keep(key("c"), &answer("c"), 0, Some(later(60_000)));
    assert_eq!(cache.kept.lock().unwrap().answers.len(), 2, "what has ended is gone");
}

#[test]
fn what_has_no_end_or_no_time_is_not_kept() {
    let cache = Cache::new(1 << 20);
    cache.keep(key("a"), &answer("a"), 0, None);
    cache.keep(key("b"), &answer("b"), 0, Some(clock::uptime()));
    assert!(!has(&cache, "a") && !has(&cache, "b"));
    assert_eq!(Cache::new(0).key(&CheckRequest::default()), None);
}

#[test]
fn is_bounded_and_lets_go_what_ends_first() {
    let cache = Cache::new(10 * (ENTRY_BYTES + 4));
    cache.keep(key("large"), &answer("large"), 10 * ENTRY_BYTES, Some(later(60_000)));
    assert!(!has(&cache, "large"));
    for number in 0..100 {
        let name = format!("{number:04}");
        // The even ones end late.
        cache.keep(key(&name), &answer(&name), 0, Some(later(if number % 2 == 0 { 600_000 + number } else { 60_000 })));
    }
    let kept = cache.kept.lock().unwrap();
    assert!(kept.bytes <= cache.most && kept.answers.len() == kept.ends.len(), "{kept:?}");
    assert_eq!(kept.answers.len(), 10);
    assert!(kept.answers.contains_key(&key("0098")) && !kept.answers.contains_key(&key("0001")));
}

#[test]
fn a_later_answer_takes_an_earlier_ones_place() {
    let cache = Cache::new(1 << 20);
    cache.keep(key("a"), &answer("old"), 7, Some(later(600_000)));
    cache.keep(key("a"), &answer("a"), 7, Some(later(60_000)));
    assert!(has(&cache, "a"));
    let kept = cache.kept.lock().unwrap();
    assert_eq!((kept.answers.len(), kept.ends.len(), kept.bytes), (1, 1, 1 + 14 + ENTRY_BYTES));
}

#[test]
fn a_key_has_the_whole_question_but_not_its_name() {
    let cache = Cache::new(1);
    let question = CheckRequest { policy: "data.a".into(), ..CheckRequest::default() };
    let named = CheckRequest { request_id: "7".into(), ..question.clone() };
    assert_eq!(cache.key(&question), cache.key(&named));
    let shown = CheckRequest { credential: Some(crate::api::grpc::proto::Credential::default()), ..question.clone() };
    assert_eq!(cache.key(&shown), None);
    for other in [
        CheckRequest { policy: "data.b".into(), ..question.clone() },
        CheckRequest { explain: 2, ..question.clone() },
        CheckRequest { at_revision: 1, ..question.clone() },
        CheckRequest { context: Some(crate::decision::Object::new().into()), ..question.clone() },
    ] {
        assert_ne!(cache.key(&question), cache.key(&other));
    }
}
