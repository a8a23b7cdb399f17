// Shows the OpenAPI document by Swagger UI, which is loaded on the page that needs it and nowhere else.
(() => {
  const load = (src) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.addEventListener("load", resolve);
    script.addEventListener("error", reject);
    script.src = src;
    document.head.append(script);
  });

  const read = async (address) => {
    const spec = await (await fetch(address)).json();
    // This Swagger UI reads 3.0 only. The document keeps to what 3.0 and 3.1 share, but for `webhooks`.
    spec.openapi = "3.0.3";
    delete spec.webhooks;
    return spec;
  };

  const show = async () => {
    const place = document.getElementById("explore");
    if (!place || place.hasAttribute("aria-busy")) return;
    place.setAttribute("aria-busy", "true");
    const [spec] = await Promise.all([
      read(place.dataset.document),
      window.SwaggerUIBundle || load(place.dataset.script),
    ]);
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
    place.setAttribute("aria-busy", "false");
  };

  document.addEventListener("DOMContentLoaded", show);
  // A boosted link puts the page's body in place of another's.
  document.addEventListener("htmx:load", show);
})();
