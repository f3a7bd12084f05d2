// The import directions of the layout: who may import whom, and through what.
const only = (folder, allowed) => ({
  name: `${folder}-imports`,
  severity: "error",
  comment: `${folder} may import ${allowed.join(", ") || "nothing of ours"}`,
  from: { path: `^src/${folder}/` },
  to: { path: "^src/", pathNot: [`^src/${folder}/`, ...allowed.map((name) => `^src/${name}/index\\.ts$`)] },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    { name: "not-to-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "no-dev-dependency",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["npm-peer", "npm-optional"] },
    },
    only("error", []),
    only("system", ["error"]),
    only("description", ["error"]),
    only("stream", ["error", "description"]),
    only("registry", ["error", "description", "stream"]),
    only("memory", ["error", "system", "description"]),
    only("check", ["error", "description"]),
    only("inspect", ["error", "description", "stream", "check"]),
    only("carrier", ["error", "system", "memory"]),
    only("live", ["error", "system", "description", "stream", "registry", "memory", "carrier", "check"]),
    {
      name: "supervisor-imports",
      severity: "error",
      comment: "supervisor may import live's protocol, machine and update messages, system, memory, carrier",
      from: { path: "^src/supervisor/" },
      to: {
        path: "^src/",
        pathNot: [
          "^src/supervisor/",
          "^src/(error|system|memory|carrier)/index\\.ts$",
          "^src/live/(protocol|machine|update-messages)\\.ts$",
        ],
      },
    },
    {
      name: "nobody-imports-cli",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/" },
      to: { path: "^src/cli/" },
    },
    {
      name: "koffi-only-in-ffi",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/memory/ffi/" },
      to: { path: "koffi" },
    },
    {
      name: "no-node-in-pure-folders",
      severity: "error",
      comment: "the viewer's page runs these in a browser",
      from: { path: "^src/((error|description|stream|check)/|live/machine\\.ts$)" },
      to: { dependencyTypes: ["core"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "default"] },
  },
};
