//! Every rule that a decision rests on, one row each.

use super::*;
use crate::domain::decide::{approvers, effective_creators, eligibility, within_reach};
use crate::domain::verdict::Mark;
use rstest::rstest;

/// `acme/sre` has dana, alice and bob; one of them must approve.
fn one_of_sre() -> Scene {
    sre_members(vec![rule(&[sre()], 1)])
}

fn two_of_sre() -> Scene {
    sre_members(vec![rule(&[sre()], 2)])
}

fn sre_members(rules: Vec<Rule>) -> Scene {
    Scene::new(rules).member(DANA, sre()).member(ALICE, sre()).member(BOB, sre()).member(ROBOT, sre())
}

/// One of `acme/sre` and one of `acme/qa`; alice is in both, bob in `acme/sre` alone.
fn sre_and_qa() -> Scene {
    Scene::new(vec![rule(&[sre()], 1), rule(&[qa()], 1)])
        .member(ALICE, sre())
        .member(ALICE, qa())
        .member(BOB, sre())
}

/// Two people out of `acme/sre` or `acme/qa`, as `required_approval_count` has it.
fn two_of_sre_or_qa() -> Scene {
    Scene::new(vec![rule(&[sre(), qa()], 2)]).member(ALICE, sre()).member(ALICE, qa()).member(BOB, qa())
}

#[rstest]
#[case::nobody_has_spoken(one_of_sre(), Ends::Blocked { missing: 1 })]
#[case::an_approval_is_enough(one_of_sre().approves(ALICE, 1), Ends::Approved)]
#[case::one_of_two(two_of_sre().approves(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::two_of_two(two_of_sre().approves(ALICE, 1).approves(BOB, 2), Ends::Approved)]
#[case::one_person_twice(two_of_sre().approves(ALICE, 1).approves(ALICE, 2), Ends::Blocked { missing: 1 })]
#[case::an_outsider(one_of_sre().approves(MALLORY, 1), Ends::Blocked { missing: 1 })]
#[case::an_outsider_rejects(one_of_sre().approves(ALICE, 1).rejects(MALLORY, 2), Ends::Approved)]
#[case::a_rejection_ends_it(two_of_sre().rejects(ALICE, 1), Ends::RejectedBy(ALICE))]
#[case::a_rejection_beats_enough_approvals(
    two_of_sre().approves(DANA, 1).approves(ALICE, 1).rejects(BOB, 0).self_approval_allowed(),
    Ends::RejectedBy(BOB)
)]
fn named_people_approve_and_reject(#[case] scene: Scene, #[case] expected: Ends) {
    assert_eq!(end_of(&scene.decide()), expected);
}

#[rstest]
#[case::own_approval(one_of_sre().approves(DANA, 1), Ends::Blocked { missing: 1 })]
#[case::own_approval_beside_another(two_of_sre().approves(DANA, 1).approves(BOB, 1), Ends::Blocked { missing: 1 })]
#[case::own_approval_allowed(one_of_sre().self_approval_allowed().approves(DANA, 1), Ends::Approved)]
#[case::every_starter_is_a_creator(one_of_sre().started_by(&[BOB, ALICE]).approves(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::starters_beside_a_bot(one_of_sre().started_by(&[ROBOT, ALICE]).approves(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::stand_ins_of_a_human_starter_are_no_creators(one_of_sre().stand_ins(&[ALICE]).approves(ALICE, 1), Ends::Approved)]
#[case::unread_stand_ins_of_a_human_starter(one_of_sre().stand_ins_unread().approves(ALICE, 1), Ends::Approved)]
#[case::named_creator_rejects(one_of_sre().rejects(DANA, 1), Ends::RejectedBy(DANA))]
#[case::unnamed_creator_rejects(one_of_sre().started_by(&[MALLORY]).rejects(MALLORY, 1).approves(ALICE, 2), Ends::Approved)]
#[case::allowed_but_not_named(
    one_of_sre().self_approval_allowed().started_by(&[MALLORY]).approves(MALLORY, 1),
    Ends::Blocked { missing: 1 }
)]
fn a_creator_never_approves_their_own(#[case] scene: Scene, #[case] expected: Ends) {
    assert_eq!(end_of(&scene.decide()), expected);
}

#[rstest]
#[case::author_stands_in(one_of_sre().started_by(&[ROBOT]).stand_ins(&[ALICE]).approves(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::another_than_the_stand_in(one_of_sre().started_by(&[ROBOT]).stand_ins(&[ALICE]).approves(BOB, 1), Ends::Approved)]
#[case::nobody_named_as_starter(one_of_sre().started_by(&[]).stand_ins(&[ALICE]).approves(BOB, 1), Ends::Approved)]
#[case::stand_in_allowed(
    one_of_sre().self_approval_allowed().started_by(&[ROBOT]).stand_ins(&[ALICE]).approves(ALICE, 1),
    Ends::Approved
)]
#[case::no_stand_in(one_of_sre().started_by(&[ROBOT]).approves(ALICE, 1), Ends::Blocked { missing: 0 })]
#[case::nobody_at_all(one_of_sre().started_by(&[]).approves(ALICE, 1), Ends::Blocked { missing: 0 })]
#[case::a_bot_stands_in_for_a_bot(one_of_sre().started_by(&[ROBOT]).stand_ins(&[ROBOT]).approves(ALICE, 1), Ends::Blocked { missing: 0 })]
#[case::bot_creator_allowed(one_of_sre().started_by(&[ROBOT]).bot_creator_allowed().approves(ALICE, 1), Ends::Approved)]
#[case::allowed_yet_the_author_may_not(
    one_of_sre().started_by(&[ROBOT]).stand_ins(&[ALICE]).bot_creator_allowed().approves(ALICE, 1),
    Ends::Blocked { missing: 1 }
)]
#[case::stand_ins_unread(one_of_sre().started_by(&[ROBOT]).stand_ins_unread().approves(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::stand_ins_unread_whatever_is_allowed(
    one_of_sre().started_by(&[ROBOT]).stand_ins_unread().bot_creator_allowed().self_approval_allowed().approves(ALICE, 1),
    Ends::Blocked { missing: 0 }
)]
#[case::rejection_while_stand_ins_are_unread(
    one_of_sre().started_by(&[ROBOT]).stand_ins_unread().rejects(ALICE, 1),
    Ends::RejectedBy(ALICE)
)]
fn bots_start_and_people_stand_in(#[case] scene: Scene, #[case] expected: Ends) {
    assert_eq!(end_of(&scene.decide()), expected);
}

#[rstest]
#[case::bot_approves(one_of_sre().approves(ROBOT, 1), Ends::Blocked { missing: 1 })]
#[case::bot_rejects(one_of_sre().rejects(ROBOT, 1).approves(ALICE, 1), Ends::Approved)]
#[case::bot_creator_approves(
    one_of_sre().started_by(&[ROBOT]).bot_creator_allowed().self_approval_allowed().approves(ROBOT, 1),
    Ends::Blocked { missing: 1 }
)]
#[case::inactive_approves(one_of_sre().inactive(ALICE).approves(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::inactive_rejects(one_of_sre().inactive(BOB).rejects(BOB, 1).approves(ALICE, 1), Ends::Approved)]
fn bots_and_the_inactive_have_no_voice(#[case] scene: Scene, #[case] expected: Ends) {
    assert_eq!(end_of(&scene.decide()), expected);
}

#[rstest]
#[case::unread_person_approves(one_of_sre().person_unread(ALICE).approves(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::unread_membership_approves(one_of_sre().membership_unread(ALICE, sre()).approves(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::unread_person_rejects(one_of_sre().person_unread(BOB).rejects(BOB, 1).approves(ALICE, 1), Ends::Blocked { missing: 0 })]
#[case::unread_membership_rejects(
    one_of_sre().membership_unread(BOB, sre()).rejects(BOB, 1).approves(ALICE, 1),
    Ends::Blocked { missing: 0 }
)]
#[case::unread_yet_admitted_elsewhere(sre_and_qa().membership_unread(BOB, qa()).rejects(BOB, 1), Ends::RejectedBy(BOB))]
#[case::unread_and_not_admitted_elsewhere(
    sre_and_qa().membership_unread(MALLORY, qa()).rejects(MALLORY, 1),
    Ends::Blocked { missing: 2 }
)]
#[case::an_inactive_rejection_needs_no_membership(
    one_of_sre().inactive(BOB).membership_unread(BOB, sre()).rejects(BOB, 1).approves(ALICE, 1),
    Ends::Approved
)]
#[case::an_unread_word_taken_back(
    one_of_sre().person_unread(BOB).rejects(BOB, 1).revokes(BOB, 2).approves(ALICE, 1),
    Ends::Approved
)]
fn what_cannot_be_read_does_not_approve(#[case] scene: Scene, #[case] expected: Ends) {
    assert_eq!(end_of(&scene.decide()), expected);
}

#[rstest]
#[case::taken_back(one_of_sre().approves(ALICE, 1).revokes(ALICE, 2), Ends::Blocked { missing: 1 })]
#[case::given_again(one_of_sre().approves(ALICE, 1).revokes(ALICE, 2).approves(ALICE, 3), Ends::Approved)]
#[case::revoke_of_another(one_of_sre().approves(ALICE, 1).revokes(BOB, 2), Ends::Approved)]
#[case::older_approval_arrives_late(one_of_sre().revokes(ALICE, 2).approves(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::older_approval_arrives_after_rejection(one_of_sre().rejects(ALICE, 2).approves(ALICE, 1), Ends::RejectedBy(ALICE))]
#[case::older_rejection_arrives_late(one_of_sre().approves(ALICE, 2).rejects(ALICE, 1), Ends::Approved)]
#[case::same_moment_later_recorded(one_of_sre().approves(ALICE, 1).revokes(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::same_moment_the_other_way(one_of_sre().revokes(ALICE, 1).approves(ALICE, 1), Ends::Approved)]
fn the_newest_word_counts_by_the_platforms_clock(#[case] scene: Scene, #[case] expected: Ends) {
    assert_eq!(end_of(&scene.decide()), expected);
}

#[rstest]
#[case::one_person_is_not_two_rules(sre_and_qa().approves(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::the_first_comer_makes_room(sre_and_qa().approves(ALICE, 1).approves(BOB, 2), Ends::Approved)]
#[case::order_of_arrival_is_nothing(sre_and_qa().approves(BOB, 1).approves(ALICE, 2), Ends::Approved)]
#[case::count_form_one_person_in_both_groups(two_of_sre_or_qa().approves(ALICE, 1), Ends::Blocked { missing: 1 })]
#[case::count_form_any_of_the_groups(two_of_sre_or_qa().approves(ALICE, 1).approves(BOB, 2), Ends::Approved)]
#[case::two_rules_want_both_groups(
    sre_and_qa().member(MALLORY, sre()).approves(BOB, 1).approves(MALLORY, 2),
    Ends::Blocked { missing: 1 }
)]
fn distinct_people_fill_the_rules(#[case] scene: Scene, #[case] expected: Ends) {
    assert_eq!(end_of(&scene.decide()), expected);
}

#[rstest]
#[case::no_rule(sre_members(vec![]))]
#[case::a_rule_for_nobody(sre_members(vec![rule(&[sre()], 0)]))]
#[case::a_rule_for_nobody_beside_a_filled_one(sre_members(vec![rule(&[sre()], 1), rule(&[qa()], 0)]))]
fn a_policy_that_needs_nobody_never_approves(#[case] scene: Scene) {
    let verdict = scene.approves(ALICE, 1).approves(BOB, 1).decide();
    assert_eq!(end_of(&verdict), Ends::Blocked { missing: 0 });
    assert!(says(&verdict, &Statement::NoRules));
}

#[rstest]
#[case::creator(one_of_sre().approves(DANA, 1), DANA, WhyNot::Creator)]
#[case::bot(one_of_sre().approves(ROBOT, 1), ROBOT, WhyNot::Bot)]
#[case::inactive(one_of_sre().inactive(ALICE).approves(ALICE, 1), ALICE, WhyNot::Inactive)]
#[case::outsider(one_of_sre().rejects(MALLORY, 1), MALLORY, WhyNot::NotNamed)]
#[case::spare(one_of_sre().approves(ALICE, 1).approves(BOB, 2), BOB, WhyNot::NotNeeded)]
#[case::revoked(one_of_sre().approves(ALICE, 1).revokes(ALICE, 2), ALICE, WhyNot::Revoked)]
#[case::unread(one_of_sre().person_unread(ALICE).approves(ALICE, 1), ALICE, WhyNot::Unknown("502 Bad Gateway".to_owned()))]
fn every_word_that_does_not_count_is_explained(
    #[case] scene: Scene,
    #[case] who: i64,
    #[case] expected: WhyNot,
) {
    assert_eq!(refusal(&scene.decide(), who), Some(expected));
}

#[test]
fn a_person_or_membership_that_was_never_read_is_unknown() {
    let mut scene = one_of_sre().approves(ALICE, 1);
    scene.facts.holds.remove(&(UserId(ALICE), sre()));
    assert!(matches!(refusal(&scene.decide(), ALICE), Some(WhyNot::Unknown(_))));
    scene.facts.people.remove(&UserId(ALICE));
    let verdict = eligibility(&scene.policy, UserId(ALICE), Word::Rejected, &scene.facts);
    assert!(matches!(verdict, Err(WhyNot::Unknown(_))));
}

#[test]
fn an_unchecked_rejection_is_named_in_the_explanation() {
    let verdict = one_of_sre().person_unread(BOB).rejects(BOB, 1).approves(ALICE, 1).decide();
    assert!(says(&verdict, &Statement::RejectionUnchecked(account(BOB))));
    assert_eq!(verdict.because.mark, Mark::Pending);
}

#[test]
fn a_rejection_carries_its_reason() {
    let verdict = one_of_sre().rejects(ALICE, 7).decide();
    let reason = Some("said at minute 7".to_owned());
    assert_eq!(verdict.outcome, Outcome::Rejected { by: account(ALICE), reason });
}

#[test]
fn the_fresh_account_counts_not_the_one_in_the_vote() {
    let mut scene = one_of_sre().approves(ALICE, 1);
    let turned_bot = Person { account: Account { bot: true, ..account(ALICE) }, active: true };
    scene.facts.people.insert(UserId(ALICE), Known::Fact(turned_bot));
    assert_eq!(refusal(&scene.decide(), ALICE), Some(WhyNot::Bot));
}

#[test]
fn approvers_are_those_who_fill_the_rules_in_the_order_of_the_rules() {
    let verdict = sre_and_qa().approves(ALICE, 1).approves(BOB, 2).approves(MALLORY, 3).decide();
    assert_eq!(approvers(&verdict), vec![account(BOB), account(ALICE)]);
}

#[test]
fn nobody_is_an_approver_of_what_is_not_approved() {
    assert_eq!(approvers(&two_of_sre().approves(ALICE, 1).decide()), vec![]);
    assert_eq!(approvers(&two_of_sre().rejects(ALICE, 1).decide()), vec![]);
}

#[test]
fn bots_among_stand_ins_are_no_creators() {
    let scene = one_of_sre().started_by(&[ROBOT]).stand_ins(&[ROBOT, ALICE]);
    let creators = effective_creators(&scene.facts);
    assert_eq!(creators, Known::Fact(vec![account(ROBOT), account(ALICE)]));
}

#[rstest]
#[case::two_beside_the_creator(two_of_sre(), &[DANA, ALICE, BOB], true)]
#[case::only_one_beside_the_creator(two_of_sre(), &[DANA, ALICE], false)]
#[case::the_creator_counts_when_allowed(two_of_sre().self_approval_allowed(), &[DANA, ALICE], true)]
#[case::a_bot_is_nobody(two_of_sre(), &[ALICE, ROBOT], false)]
#[case::one_person_listed_twice_is_one(two_of_sre(), &[ALICE, ALICE], false)]
#[case::an_inactive_one(two_of_sre().inactive(BOB), &[ALICE, BOB], false)]
#[case::one_who_could_not_be_read(two_of_sre().person_unread(BOB), &[ALICE, BOB], false)]
#[case::no_rules(sre_members(vec![]), &[ALICE, BOB], false)]
#[case::a_rule_for_nobody(sre_members(vec![rule(&[sre()], 0)]), &[ALICE, BOB], false)]
#[case::no_human_creator(two_of_sre().started_by(&[ROBOT]), &[ALICE, BOB], false)]
#[case::creators_unread(two_of_sre().started_by(&[]).stand_ins_unread().self_approval_allowed(), &[ALICE, BOB], false)]
fn it_is_known_beforehand_whether_the_rules_can_be_filled(
    #[case] scene: Scene,
    #[case] candidates: &[i64],
    #[case] expected: bool,
) {
    let candidates: Vec<Account> = candidates.iter().copied().map(account).collect();
    assert_eq!(within_reach(&scene.policy, &candidates, &scene.facts), expected);
}
