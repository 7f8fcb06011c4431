//! The output of `terraform show -json`, of a state or of a plan.

use serde_json::Value;

use super::Machine;
use crate::source::spot::Spot;

/// The state machines of all modules; nothing if the document is no output of Terraform.
pub(super) fn machines<'v>(document: &'v Value, spot: &'v Spot) -> Option<Vec<Machine<'v>>> {
    document.get("terraform_version")?;
    // A plan has both: what is planned counts.
    let values = ["planned_values", "values"].iter().find(|key| document.get(**key).is_some())?;
    let mut machines = Vec::new();
    let mut pending = vec![part(document, spot, values).and_then(|(value, spot)| part(value, spot, "root_module"))?];
    while let Some((module, spot)) = pending.pop() {
        machines.extend(each(module, spot, "resources").filter_map(|(resource, spot)| machine(resource, spot)));
        let before = pending.len();
        pending.extend(each(module, spot, "child_modules"));
        pending.get_mut(before..).unwrap_or_default().reverse();
    }
    Some(machines)
}

fn machine<'v>(resource: &'v Value, spot: &'v Spot) -> Option<Machine<'v>> {
    let is_machine = resource.get("type")?.as_str()? == "aws_sfn_state_machine"
        && resource.get("mode").and_then(Value::as_str) != Some("data");
    if !is_machine {
        return None;
    }
    let name =
        ["address", "name"].iter().find_map(|key| resource.get(*key)?.as_str()).unwrap_or("aws_sfn_state_machine");
    let values = part(resource, spot, "values").and_then(|(values, spot)| Some((values.as_object()?, spot)));
    let at = spot.child("address").map_or(spot, |(_, spot)| spot).value.clone();
    Some(Machine { name: name.to_owned(), at, properties: values, is_planned: true })
}

fn part<'v>(value: &'v Value, spot: &'v Spot, key: &str) -> Option<(&'v Value, &'v Spot)> {
    Some((value.get(key)?, spot.child(key)?.1))
}

fn each<'v>(value: &'v Value, spot: &'v Spot, key: &str) -> impl Iterator<Item = (&'v Value, &'v Spot)> {
    part(value, spot, key)
        .into_iter()
        .flat_map(|(list, spot)| list.as_array().into_iter().flatten().zip(spot.children.iter().map(|(_, spot)| spot)))
}
