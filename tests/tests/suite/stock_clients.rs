//! The unmodified aws CLI and boto3 against the real server, each test against one of its own.

use anyhow::Result;
use stepwell_tests::python::Clients;
use stepwell_tests::server::{ACCOUNT, Server};
use stepwell_tests::walk::{self, Walk};
use tempfile::TempDir;

async fn on_serve() -> Result<Option<(Walk, impl Sized)>> {
    let Some(clients) = Clients::find()? else { return Ok(None) };
    let functions = walk::functions().await?;
    let directory = TempDir::new()?;
    let flags = ["--lambda-endpoint", &functions.url()];
    let server = Server::start(&directory.path().join("data"), &flags).await?;
    Ok(Some((Walk::of(clients, server.endpoint(), ACCOUNT), (server, functions, directory))))
}

stepwell_tests::walk!(on_serve);
