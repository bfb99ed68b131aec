//! On the mesh, the connection says who calls.
use super::*;

#[tokio::test]
async fn on_the_mesh_the_connection_says_who_calls_and_no_header_does() {
    let table = Table::with(&[("ck8s_adm_good", admin())]);
    let mesh = Mesh::new();
    let down = CancellationToken::new();
    let edge = mesh.channel("edge");
    let serving = tokio::spawn({
        let (mesh, guard, down) = (mesh.clone(), mesh_guard(table), down.clone());
        async move { mesh.serve(echo_routes(), guard, down).await }
    });
    // A role in a header is only a header. A token counts for a call that the edge hands on, and for no other role's.
    let (ingest, create) = (
        "/ck8s.ingress.v1.IngressService/IngestWebhook",
        "/ck8s.runs.v1.RunsService/CreateRuns",
    );
    let forged = ("x-ck8s-role", "ingress");
    let good = ("authorization", "Bearer ck8s_adm_good");
    let bad = ("authorization", "Bearer ck8s_adm_bad");
    let ingress = mesh.channel("ingress");
    for (from, path, headers, expected, seen) in [
        (&edge, ingest, &[forged][..], Code::Ok, "service:edge"),
        (&edge, create, &[forged], Code::PermissionDenied, ""),
        (&edge, ADMIN_ONLY, &[forged], Code::PermissionDenied, ""),
        (&edge, ADMIN_ONLY, &[good, forged], Code::Ok, "token:me"),
        (&edge, ADMIN_ONLY, &[bad], Code::Unauthenticated, ""),
        (&edge, ingest, &[good], Code::PermissionDenied, ""),
        (&edge, OPEN, &[], Code::Ok, "anonymous"),
        (&ingress, ADMIN_ONLY, &[good], Code::PermissionDenied, ""),
        (&ingress, create, &[good], Code::Ok, "service:ingress"),
        (&ingress, OPEN, &[], Code::PermissionDenied, ""),
    ] {
        let response = tower::ServiceExt::oneshot(from.clone(), request(path, headers))
            .await
            .unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), expected, "{path} {headers:?}");
        if expected == Code::Ok {
            assert_eq!(status.message(), seen, "{path} {headers:?}");
        }
    }
    down.cancel();
    serving.await.unwrap().unwrap();
    let after = tower::ServiceExt::oneshot(mesh.channel("edge"), request(ADMIN_ONLY, &[])).await;
    assert!(after.is_err());
}
