// Shows the OpenAPI document by Swagger UI.
(async () => {
  const place = document.getElementById("explore");
  const answer = await fetch(place.dataset.url);
  const spec = await answer.json();
  // This Swagger UI reads 3.0 only. The document keeps to what 3.0 and 3.1 share, but for `webhooks`.
  spec.openapi = "3.0.3";
  delete spec.webhooks;
  window.SwaggerUIBundle({
    spec,
    domNode: place,
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    docExpansion: "none",
    defaultModelsExpandDepth: -1,
    deepLinking: true,
    filter: true,
    validatorUrl: null,
  });
})();
