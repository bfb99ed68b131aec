//! `ck8s repo`.
mod check;
mod credential;

use std::{path::PathBuf, time::Duration};

use ck8s_proto::repositories::v1::{
    AddRepositoryRequest, CredentialKind, GetRepositoryRequest, ListRepositoriesRequest,
    RemoveRepositoryRequest, Repository, RotateWebhookSecretRequest, UpdateRepositoryRequest,
};
use clap::{Args, Subcommand};
use prost_types::FieldMask;

use super::secret;
use crate::{
    Global,
    args::{Limit, duration, read_optional, read_secret, seconds},
    client::{pages, request_id},
    fault::{Answer, Exit, Fault},
    output,
    session::Session,
    table::{Rows, age, facts, moment},
};

/// What can be done with repositories.
#[derive(Subcommand, Clone, Debug)]
pub enum RepoVerb {
    /// Lists repositories by name.
    #[command(after_help = "Example:\n  ck8s repo list --project shop")]
    List {
        /// The project's id or slug; without it, all.
        #[arg(long)]
        project: Option<String>,
        /// How many.
        #[command(flatten)]
        limit: Limit,
    },
    /// Adds a repository. With a credential, ck8s makes its webhook and reads its services.yaml; without, it shows the webhook secret, once.
    #[command(
        after_help = "Example:\n  ck8s repo add acme/shop --project shop --access-token-file token.txt\n  ck8s repo add acme/shop --project shop --external-id 123456 --services-file services.yaml"
    )]
    Add(Add),
    /// Shows one repository.
    #[command(
        after_help = "Example:\n  ck8s repo get acme/shop\n  ck8s repo get acme/shop --services > services.yaml"
    )]
    Get {
        /// Its id or owner/name.
        repository: String,
        /// Only the text of its services.yaml.
        #[arg(long)]
        services: bool,
    },
    /// Changes a repository.
    #[command(after_help = "Example:\n  ck8s repo update acme/shop --services-file services.yaml")]
    Update(Update),
    /// Removes a repository, and its webhook where ck8s made it; its runs and deliveries stay.
    #[command(after_help = "Example:\n  ck8s repo remove acme/shop")]
    Remove {
        /// Its id or owner/name.
        repository: String,
    },
    /// Replaces the webhook secret; the old one stays valid for a while.
    #[command(after_help = "Example:\n  ck8s repo rotate-secret acme/shop --overlap 2h")]
    RotateSecret {
        /// Its id or owner/name.
        repository: String,
        /// Reads the new secret from a file (-: standard input); without it, a random one is made and shown.
        #[arg(long, value_name = "FILE")]
        webhook_secret_file: Option<PathBuf>,
        /// How long the old secret stays valid; without it, a day.
        #[arg(long, value_parser = duration, value_name = "TIME")]
        overlap: Option<Duration>,
    },
    /// Gives ck8s another credential for a repository.
    #[command(
        after_help = "Example:\n  ck8s repo rotate-token acme/shop --access-token-file token.txt"
    )]
    RotateToken {
        /// Its id or owner/name.
        repository: String,
        /// What ck8s shows to GitHub.
        #[command(flatten)]
        shown: credential::Shown,
    },
    /// Says what is right and what is wrong with a repository; ends with 1 if something is wrong.
    #[command(after_help = "Example:\n  ck8s repo check acme/shop")]
    Check {
        /// Its id or owner/name.
        repository: String,
    },
    /// Makes, turns on or completes the webhook, reads services.yaml, and says how it stands then.
    #[command(after_help = "Example:\n  ck8s repo mend acme/shop")]
    Mend {
        /// Its id or owner/name.
        repository: String,
    },
    /// Secrets that the repository's runs may ask for by name.
    #[command(
        subcommand,
        after_help = "Example:\n  ck8s repo secret set acme/shop API_KEY < key.txt"
    )]
    Secret(secret::SecretVerb),
}

/// A repository to add.
#[derive(Args, Clone, Debug)]
pub struct Add {
    /// owner/name.
    pub full_name: String,
    /// The project's id or slug.
    #[arg(long)]
    pub project: String,
    /// GitHub's numeric repository id, where there is no credential to ask for it.
    #[arg(long, value_name = "N", required_unless_present_any = ["access_token_file", "app_id"])]
    pub external_id: Option<String>,
    /// The text of services.yaml (-: standard input), where there is no credential to read it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["access_token_file", "app_id"])]
    pub services_file: Option<PathBuf>,
    /// Reads the webhook secret from a file; without it, a random one is made and shown.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["access_token_file", "app_id"])]
    pub webhook_secret_file: Option<PathBuf>,
    /// What ck8s shows to GitHub.
    #[command(flatten)]
    pub shown: credential::Shown,
    /// Where services.yaml is in the repository; without it, .ck8s/services.yaml.
    #[arg(long, value_name = "PATH")]
    pub services_path: Option<String>,
    /// The branch whose services.yaml counts; without it, the repository's default branch, or main.
    #[arg(long, value_name = "BRANCH")]
    pub default_branch: Option<String>,
}

/// What changes.
#[derive(Args, Clone, Debug)]
pub struct Update {
    /// Its id or owner/name.
    pub repository: String,
    /// The text of services.yaml (-: standard input).
    #[arg(long, value_name = "FILE", required_unless_present_any = ["default_branch", "full_name", "services_path"])]
    pub services_file: Option<PathBuf>,
    /// The branch whose services.yaml counts.
    #[arg(long, value_name = "BRANCH")]
    pub default_branch: Option<String>,
    /// Where services.yaml is in the repository.
    #[arg(long, value_name = "PATH")]
    pub services_path: Option<String>,
    /// The new owner/name.
    #[arg(long, value_name = "OWNER/NAME")]
    pub full_name: Option<String>,
    /// Refuse the change if the repository has changed since this etag was read.
    #[arg(long)]
    pub etag: Option<String>,
}

pub(crate) async fn run(verb: RepoVerb, global: &Global) -> Result<Exit, Fault> {
    let session = Session::open(global).await?;
    let (mut service, client) = (session.client.repositories(), &session.client);
    match verb {
        RepoVerb::List { project, limit } => {
            list(&session, project.unwrap_or_default(), limit).await?;
        }
        RepoVerb::Add(args) => add(&session, args).await?,
        RepoVerb::Get {
            repository,
            services,
        } => {
            let repository = get(&session, repository).await?;
            if services {
                output::say(&repository.services_text)?;
            } else {
                show(&session, &repository)?;
            }
        }
        RepoVerb::Update(args) => update(&session, args).await?,
        RepoVerb::Remove { repository } => {
            let what = format!("cannot remove repository {repository}");
            let done = format!("repository {repository} is removed");
            let request = RemoveRepositoryRequest {
                request_id: request_id(),
                repository,
            };
            let answer = service
                .remove_repository(client.ask(request))
                .await
                .or_say(what)?;
            if !answer.hook_left.is_empty() {
                output::note(&format!("its webhook stays: {}", answer.hook_left));
            }
            session.format.one(&answer, || done)?;
        }
        RepoVerb::RotateToken { repository, shown } => {
            let repository = credential::rotate(&session, repository, &shown).await?;
            show(&session, &repository)?;
        }
        RepoVerb::Check { repository } => return check::check(&session, repository).await,
        RepoVerb::Mend { repository } => return check::mend(&session, repository).await,
        RepoVerb::RotateSecret {
            repository,
            webhook_secret_file,
            overlap,
        } => {
            let what = format!("cannot rotate the webhook secret of {repository}");
            let webhook_secret = optional_secret(webhook_secret_file.as_ref())?;
            let request = RotateWebhookSecretRequest {
                request_id: request_id(),
                repository,
                webhook_secret,
                overlap_seconds: seconds(overlap),
            };
            let answer = service
                .rotate_webhook_secret(client.ask(request))
                .await
                .or_say(what)?;
            if answer.webhook_secret.is_empty() {
                output::note(
                    "GitHub has the new secret; the old one counts until a delivery shows it",
                );
            } else {
                output::note("the secret is shown here and never again");
            }
            session.format.one(&answer, || {
                let repository = answer.repository.clone().unwrap_or_default();
                about(&repository, &answer.webhook_secret)
            })?;
        }
        RepoVerb::Secret(verb) => secret::run(&session, verb).await?,
    }
    Ok(Exit::Done)
}

async fn list(session: &Session, project: String, limit: Limit) -> Result<(), Fault> {
    let mut service = session.client.repositories();
    let repositories = pages(limit.limit, async |page_size, page_token| {
        let request = ListRepositoriesRequest {
            project: project.clone(),
            page_size,
            page_token,
        };
        let answer = service.list_repositories(session.client.ask(request)).await;
        let answer = answer.or_say("cannot list repositories")?;
        Ok((answer.repositories, answer.next_page_token))
    })
    .await?;
    let slugs = session.client.slugs().await;
    session.format.many(&repositories, || {
        let mut rows = Rows::new(&[
            "NAME",
            "PROJECT",
            "EXTERNAL ID",
            "BRANCH",
            "TRIGGERS",
            "ID",
            "AGE",
        ]);
        for r in &repositories {
            rows.row([
                r.full_name.clone(),
                slugs.of(&r.project_id).to_owned(),
                r.external_id.clone(),
                r.default_branch.clone(),
                r.services
                    .as_ref()
                    .map_or(0, |s| s.triggers.len())
                    .to_string(),
                r.id.clone(),
                age(r.create_time.as_ref()),
            ]);
        }
        rows
    })
}

async fn add(session: &Session, args: Add) -> Result<(), Fault> {
    let what = format!("cannot add repository {}", args.full_name);
    let request = AddRepositoryRequest {
        request_id: request_id(),
        project: args.project,
        full_name: args.full_name,
        external_id: args.external_id.unwrap_or_default(),
        default_branch: args.default_branch.unwrap_or_default(),
        services_text: read_optional(args.services_file.as_ref())?.unwrap_or_default(),
        webhook_secret: optional_secret(args.webhook_secret_file.as_ref())?,
        services_path: args.services_path.unwrap_or_default(),
        credential: args.shown.to_add()?,
    };
    let answer = session
        .client
        .repositories()
        .add_repository(session.client.ask(request))
        .await
        .or_say(what)?;
    if !answer.webhook_secret.is_empty() {
        output::note("the webhook secret is shown here and never again");
    }
    session.format.one(&answer, || {
        let repository = answer.repository.clone().unwrap_or_default();
        about(&repository, &answer.webhook_secret)
    })
}

async fn update(session: &Session, args: Update) -> Result<(), Fault> {
    let what = format!("cannot update repository {}", args.repository);
    let services_text = read_optional(args.services_file.as_ref())?;
    let changes = [
        ("full_name", args.full_name.is_some()),
        ("default_branch", args.default_branch.is_some()),
        ("services_text", services_text.is_some()),
        ("services_path", args.services_path.is_some()),
    ];
    let paths = changes
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(path, _)| path.to_owned());
    let request = UpdateRepositoryRequest {
        request_id: request_id(),
        repository: args.repository,
        update_mask: Some(FieldMask {
            paths: paths.collect(),
        }),
        full_name: args.full_name.unwrap_or_default(),
        default_branch: args.default_branch.unwrap_or_default(),
        services_text: services_text.unwrap_or_default(),
        etag: args.etag.unwrap_or_default(),
        services_path: args.services_path.unwrap_or_default(),
    };
    let answer = session
        .client
        .repositories()
        .update_repository(session.client.ask(request))
        .await
        .or_say(what)?;
    show(session, &answer.repository.unwrap_or_default())
}

/// One repository.
pub(super) async fn get(session: &Session, repository: String) -> Result<Repository, Fault> {
    let what = format!("cannot get repository {repository}");
    let request = session.client.ask(GetRepositoryRequest { repository });
    let answer = session
        .client
        .repositories()
        .get_repository(request)
        .await
        .or_say(what)?;
    Ok(answer.repository.unwrap_or_default())
}

fn optional_secret(path: Option<&PathBuf>) -> Result<String, Fault> {
    path.map(|path| read_secret(Some(path)))
        .transpose()
        .map(Option::unwrap_or_default)
}

fn show(session: &Session, repository: &Repository) -> Result<(), Fault> {
    session.format.one(repository, || about(repository, ""))
}

/// A repository in words, with a secret that is shown now.
fn about(repository: &Repository, secret: &str) -> String {
    let r = repository;
    let triggers = r.services.iter().flat_map(|s| &s.triggers);
    let triggers = triggers
        .map(|t| format!("{} ({})", t.name, t.event))
        .collect::<Vec<_>>();
    facts(&[
        ("Name", r.full_name.clone()),
        ("Id", r.id.clone()),
        ("Project", r.project_id.clone()),
        ("External id", r.external_id.clone()),
        ("Default branch", r.default_branch.clone()),
        (
            "Credential",
            match r.credential() {
                CredentialKind::Token => "token".to_owned(),
                CredentialKind::App => "app".to_owned(),
                CredentialKind::Unspecified => String::new(),
            },
        ),
        ("Webhook", r.hook_id.clone()),
        ("Webhook problem", r.hook_problem.clone()),
        ("services.yaml", r.services_path.clone()),
        ("services.yaml problem", r.services_problem.clone()),
        ("Waits for GitHub until", moment(r.wait_until.as_ref())),
        ("Triggers", triggers.join(", ")),
        ("Secrets", r.secret_names.join(", ")),
        ("Created", moment(r.create_time.as_ref())),
        ("Updated", moment(r.update_time.as_ref())),
        (
            "Old secret until",
            moment(r.previous_secret_expire_time.as_ref()),
        ),
        ("Etag", r.etag.clone()),
        ("Webhook secret", secret.to_owned()),
    ])
}
