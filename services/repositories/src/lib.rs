//! RepositoriesService: repositories, sealed secrets, services.yaml.
