//! AuthService and ProjectsService: API tokens, sign-in links, projects.
