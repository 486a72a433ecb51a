// The arrows of ARCHITECTURE.md. A folder may import from the layers below its own and from itself.
const LAYERS = [
  {
    name: 'top',
    folders: ['channels', 'webhook', 'usage', 'numbers', 'templates', 'alerts', 'privacy', 'simulator', 'ops'],
  },
  { name: 'messaging', folders: ['messaging'] },
  { name: 'gateway', folders: ['gateway'] },
  { name: 'tenancy', folders: ['tenancy'] },
  { name: 'platform', folders: ['platform'] },
  { name: 'config', folders: ['config'] },
  { name: 'kernel', folders: ['kernel'] },
];

const SPEC = '[.-]spec[.]ts$';
const any = (folders) => `^src/(?:${folders.join('|')})/`;

const layerRules = LAYERS.slice(1).map((layer, index) => ({
  name: `${layer.name}-points-down`,
  comment: `${layer.folders.join(' and ')} must not know the layers above: ${LAYERS.slice(0, index + 1)
    .flatMap(({ folders }) => folders)
    .join(', ')}. Turn the call round: an event in the outbox, or a token that the upper layer fills.`,
  severity: 'error',
  from: { path: any(layer.folders) },
  to: { path: any(LAYERS.slice(0, index + 1).flatMap(({ folders }) => folders)) },
}));

const neighbourRules = LAYERS.filter(({ folders }) => folders.length > 1).map((layer) => ({
  name: `${layer.name}-neighbours-are-strangers`,
  comment: `${layer.folders.join(', ')} do not import each other. They meet through the layers below.`,
  severity: 'error',
  from: { path: `^src/(${layer.folders.join('|')})/` },
  to: { path: any(layer.folders), pathNot: '^src/$1/' },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'root-is-the-top',
      comment: 'main.ts and app.module.ts compose the process. Nothing below may import them.',
      severity: 'error',
      from: { path: '^src/[^/]+/' },
      to: { path: '^src/[^/]+[.]ts$' },
    },
    {
      name: 'every-folder-has-a-layer',
      comment: 'A folder under src that is in no layer escapes the rules: give it a place in LAYERS.',
      severity: 'error',
      from: {},
      to: { path: '^src/[^/]+/', pathNot: any(LAYERS.flatMap(({ folders }) => folders)) },
    },
    ...neighbourRules,
    {
      name: 'channels-are-strangers',
      comment:
        'A channel must be removable without another one noticing. Shared things belong to messaging or gateway.',
      severity: 'error',
      from: { path: '^src/channels/([^/]+)/' },
      to: { path: '^src/channels/', pathNot: '^src/channels/$1/' },
    },
    {
      name: 'providers-are-leaves',
      comment:
        "Only the channel's registration file, the provider's own folder and specs may import a provider. Everybody else asks the registry.",
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [SPEC, '^src/channels/[^/]+/[^/]+[.]providers[.]ts$', '^src/channels/[^/]+/providers/'],
      },
      to: { path: '^src/channels/[^/]+/providers/' },
    },
    {
      name: 'providers-are-strangers',
      comment: 'A definition does not import another definition: each provider can be read, tested and removed alone.',
      severity: 'error',
      from: { path: '^src/channels/[^/]+/providers/', pathNot: SPEC },
      to: { path: '^src/channels/[^/]+/providers/.+[.]provider[.]ts$' },
    },
    {
      name: 'vendors-serve-providers',
      comment:
        "One company's API can serve several channels (Twilio: SMS and WhatsApp), and channels are strangers. What their providers have in common lives in gateway/vendors/<company>; nobody but a provider's files may know it, or the gateway would depend on a company.",
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [SPEC, '^src/channels/[^/]+/providers/', '^src/gateway/vendors/'],
      },
      to: { path: '^src/gateway/vendors/' },
    },
    {
      name: 'vendors-are-strangers',
      comment: 'One company is removed without another one noticing.',
      severity: 'error',
      from: { path: '^src/gateway/vendors/([^/]+)/' },
      to: { path: '^src/gateway/vendors/', pathNot: '^src/gateway/vendors/$1/' },
    },
    {
      name: 'entities-stay-home',
      comment: 'An entity is the private shape of its module. Others get a view, an id or a service.',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '[.]entity[.]ts$', pathNot: '^src/$1/' },
    },
    {
      name: 'one-http-client',
      comment: 'Calls out go through platform/http-client: deadlines, outcome classes and the SSRF guard live there.',
      severity: 'error',
      from: {
        path: '^src/',
        // platform/http is the server's side.
        pathNot: [SPEC, '^src/platform/http-client/', '^src/platform/http/', '^src/simulator/', '^src/main[.]ts$'],
      },
      to: {
        path: ['^(?:node:)?(?:https?|http2)$', '(?:^|node_modules/)(?:undici|axios|got|node-fetch)(?:/|$)'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'one-database-driver',
      comment: 'pg is spoken in platform/database only, so that scopes and row-level security cannot be passed by.',
      severity: 'error',
      from: { path: '^src/', pathNot: [SPEC, '^src/platform/database/'] },
      to: { path: '(?:^|node_modules/)(?:pg|@types/pg|pg-.+)(?:/|$)' },
    },
    {
      name: 'no-circular',
      comment:
        'A circle means that two things are one, or that a third one is missing. It also makes forwardRef necessary.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'Nobody imports this file and it imports nobody: it is left over.',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: [SPEC, '[.]d[.]ts$', '^src/main[.]ts$'] },
      to: {},
    },
    {
      name: 'no-import-of-specs',
      comment: 'A spec is an end. What two specs share lives in test/support, test/factories or test/contract.',
      severity: 'error',
      from: {},
      to: { path: SPEC },
    },
    {
      name: 'no-test-code-in-the-service',
      comment: 'The service must run without test, bench and scripts.',
      severity: 'error',
      from: { path: '^(?:src|migrations)/', pathNot: SPEC },
      to: { path: '^(?:test|bench|scripts)/' },
    },
    {
      name: 'no-dev-dependency-in-the-service',
      comment: 'A production install leaves devDependencies out.',
      severity: 'error',
      from: { path: '^(?:src|migrations)/', pathNot: SPEC },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
    },
    {
      name: 'no-unlisted-dependency',
      comment: 'A package that package.json does not name is there by luck.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'not-to-unresolvable',
      comment: 'The import leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['node', 'require', 'import', 'types', 'default'],
      mainFields: ['main', 'types'],
    },
  },
};
