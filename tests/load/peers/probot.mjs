// A webhook receiver that checks the signature and stores nothing.
import { createServer } from "node:http";
import { createNodeMiddleware, Probot } from "probot";

const probot = new Probot({ githubToken: "none", secret: process.env.WEBHOOK_SECRET, logLevel: "fatal" });
const middleware = await createNodeMiddleware((app) => app.on("issues", async () => {}), {
  probot,
  webhooksPath: "/api/v1/webhooks/github",
});
const server = createServer((request, response) => middleware(request, response, () => response.writeHead(404).end()));
server.listen(0, "127.0.0.1", () => console.log(`127.0.0.1:${server.address().port}`));
