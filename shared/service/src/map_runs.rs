//! ListMapRuns, DescribeMapRun, UpdateMapRun: distributed Maps do not run here yet, so that no Map Run exists.

use serde::Serialize;

use crate::action::{Action, answered};
use crate::answer::Nothing;
use crate::arn::{self, Kind};
use crate::error::ApiError;
use crate::paging;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, LONG_ARN, PAGE_SIZE, PAGE_TOKEN, Shape, optional, required};

pub(crate) const LIST_MAP_RUNS: Action = Action {
    name: "ListMapRuns",
    shape: &[required("executionArn", ARN), optional("maxResults", PAGE_SIZE), optional("nextToken", PAGE_TOKEN)],
    run: |asked| answered(async move { asked.service.list_map_runs(asked.request).await }),
};

pub(crate) const DESCRIBE_MAP_RUN: Action = Action {
    name: "DescribeMapRun",
    shape: &[required("mapRunArn", LONG_ARN)],
    run: |asked| answered(async move { unknown(&asked.request) }),
};

pub(crate) const UPDATE_MAP_RUN: Action = Action {
    name: "UpdateMapRun",
    shape: &[
        required("mapRunArn", LONG_ARN),
        optional("maxConcurrency", Shape::Integer { least: 0, most: i64::MAX }),
        optional("toleratedFailurePercentage", Shape::Float { least: 0, most: 100 }),
        optional("toleratedFailureCount", Shape::Integer { least: 0, most: i64::MAX }),
    ],
    run: |asked| answered(async move { unknown(&asked.request) }),
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    map_runs: [Nothing; 0],
}

impl Service {
    async fn list_map_runs(&self, request: Request) -> Result<Listed, ApiError> {
        let arn = request.required("executionArn");
        arn::execution(arn)?;
        // No list has a second page.
        let _: Option<Nothing> = paging::place(&self.seal, &request, &("map runs".to_owned(), arn.to_owned()))?;
        self.journalled(arn).await?;
        Ok(Listed { map_runs: [] })
    }
}

fn unknown(request: &Request) -> Result<Nothing, ApiError> {
    let arn = request.required("mapRunArn");
    arn::expect(arn, &[Kind::MapRun])?;
    Err(ApiError::ResourceNotFound(arn.to_owned()))
}
