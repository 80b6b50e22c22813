use super::*;

/// Whether a value is of a shape, and has all that the shape has.
fn fits(shape: &Shape, value: &Value) -> bool {
    match (shape, value) {
        (Shape::Text, Value::String(_)) | (Shape::Number, Value::Number(_)) | (Shape::Bool, Value::Bool(_)) => true,
        (Shape::List(member), Value::Array(all)) => all.iter().all(|it| fits(member, it)),
        (Shape::Record(members), Value::Object(map)) => {
            map.len() == members.len()
                && members.iter().all(|(name, shape)| map.get(*name).is_some_and(|it| fits(shape, it)))
        }
        _ => false,
    }
}

#[test]
fn what_may_be_asked_is_what_facts_have() {
    assert!(fits(&Shape::Record(NAMES), &Value::Object(Facts::largest().0)));
}

#[test]
fn a_section_that_does_not_fit_is_left_out_and_no_other() {
    let Value::Object(whole) = serde_json::to_value(crate::tests::facts()).unwrap() else { panic!() };
    assert_eq!(Facts::read(&whole), crate::tests::facts());
    let volume = &whole["volumes"][0];
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    for (section, wrong) in [
        ("hostname", json!(long)),
        ("hostname", json!(1)),
        ("os", json!({ "family": "debian" })),
        ("volumes", json!(vec![volume; LIST_MAX + 1])),
        ("interfaces", json!([{ "name": "a", "mac": "", "addresses": vec!["::1"; WORDS_MAX + 1], "up": true }])),
        ("reboot", json!({ "pending": true, "reasons": [long] })),
        ("people", json!({ "logged_in_users": [long] })),
    ] {
        let mut changed = whole.clone();
        changed.insert(section.to_owned(), wrong);
        let read = serde_json::to_value(Facts::read(&changed)).unwrap();
        let kept: Vec<&String> = whole.keys().filter(|name| name.as_str() != section).collect();
        assert_eq!(read.as_object().unwrap().keys().collect::<Vec<_>>(), kept, "{section}");
    }
    let mut most = whole.clone();
    most.insert("volumes".to_owned(), json!(vec![volume; LIST_MAX]));
    most.insert("tpm".to_owned(), json!({ "version": "2.0" }));
    assert_eq!(Facts::read(&most).volumes.unwrap().len(), LIST_MAX);
}

#[test]
fn what_is_left_of_a_volume_is_told_to_a_thousandth() {
    let of = |size, free| {
        let it = Volume::new("/".to_owned(), "ext4".to_owned(), size, free, false);
        (it.free_bytes, it.free_pct)
    };
    assert_eq!(of(1_000_000, 99_999), (99_000, 9.9));
    assert_eq!(of(1_000_000, 99_000), (99_000, 9.9));
    assert_eq!(of(100, 33), (33, 33.0));
    assert_eq!(of(0, 5), (0, 0.0));
    assert_eq!(of(10, 50), (10, 100.0));
    assert_eq!(of(u64::MAX, u64::MAX).1, 100.0);
}

#[test]
fn people_are_seen_by_no_expression() {
    let mut facts = crate::tests::facts();
    facts.people = Some(People { logged_in_users: vec!["ann".to_owned()] });
    assert!(!format!("{:?}", facts.asked(None)).contains("ann"));
    assert!(crate::Target::read("people.logged_in_users == []").is_err());
    assert_eq!(facts.clone().without_people(), Facts { people: None, ..facts });
}
