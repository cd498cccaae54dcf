//! Every door of the table, knocked on by four callers: none of them gets a token without its credentials.

use cs_serve::Needs;

use crate::world::{SECRET, T1, VAULT, World, encoded, secret_form};

#[tokio::test]
async fn h10_no_door_gives_a_token_without_credentials() {
    let world = World::new().await;
    let machine = format!("Bearer {}", world.machine_token().await);
    let callers = [None, Some("Bearer nonsense"), Some(machine.as_str()), Some("Basic bm9ib2R5Ondyb25n")];
    let scope = format!("{VAULT}/.default");
    let good = encoded(&secret_form(SECRET, &scope));
    for door in cs_sts::doors() {
        let path = door.path.replace("{tenant}", &T1.to_string());
        for caller in callers {
            let mut request = http::Request::builder().method(door.method).uri(&path);
            request = request.header("content-type", "application/x-www-form-urlencoded");
            if let Some(caller) = caller {
                request = request.header("authorization", caller);
            }
            let answer = world.send(request.body("grant_type=client_credentials".to_owned()).unwrap()).await;
            let what = format!("{} {} as {caller:?}: {}", door.method, door.path, answer.text);
            assert!(!answer.text.contains("access_token\":"), "{what}");
            assert!(answer.status.as_u16() < 500, "{what}");
            match door.needs {
                Needs::Credentials => assert!(matches!(answer.status.as_u16(), 400 | 401), "{what}"),
                // What is public is the same for everybody.
                Needs::Nothing(why) => assert!(!why.is_empty() && answer.status != 401, "{what}"),
                other => panic!("{other:?} is no need of this surface: {what}"),
            }
        }
        // The other doors with credentials are of machines and give no token.
        if door.needs == Needs::Credentials && door.path.contains("/oauth2/") {
            let v1 = door.path.contains("/oauth2/token");
            let body = if v1 {
                good.replace("scope=", "resource=").replace("%2F%2Edefault", "")
            } else {
                good.clone()
            };
            let request =
                http::Request::post(&path).header("content-type", "application/x-www-form-urlencoded");
            world.send(request.body(body).unwrap()).await.token();
        }
    }
}
