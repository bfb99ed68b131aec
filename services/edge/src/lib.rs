//! The public listener: webhooks, gRPC and gRPC-web for people, the console.
