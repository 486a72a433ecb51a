export type RouteHandler = (request: unknown, response: unknown, next: (error?: unknown) => void) => unknown;

export interface RouteMatch {
  /** As it was registered: `/v1/things/:id`. */
  path: string;
  handler: RouteHandler;
  params: Record<string, string>;
}

interface Route {
  /** How many were registered before it. */
  order: number;
  path: string;
  /** Undefined for a parameter. */
  words: Array<string | undefined>;
  names: string[];
  handler: RouteHandler;
}

const SIMPLE = /^(\/[\w.~-]+|\/:\w+)+\/?$/;

/**
 * Finds the route of a request among all that Nest registers, as Express would (the first registered one that matches, with or without a
 * trailing slash), by looking at a few instead of trying each one's regular expression. Routes with wildcards or optional parts are left to
 * Express.
 */
export class RouteTable {
  private readonly fixed = new Map<string, Map<string, Route>>();
  private readonly bySize = new Map<string, Route[][]>();
  private size = 0;

  /** Answers false for a path that is not for this table. */
  add(method: string, path: string, handler: RouteHandler): boolean {
    if (!SIMPLE.test(path)) return false;
    const segments = withoutSlash(path).slice(1).split('/');
    const route: Route = {
      order: this.size++,
      path,
      words: segments.map((segment) => (segment.startsWith(':') ? undefined : segment)),
      names: segments.filter((segment) => segment.startsWith(':')).map((segment) => segment.slice(1)),
      handler,
    };
    if (route.names.length === 0) {
      const paths = this.fixed.get(method) ?? new Map<string, Route>();
      this.fixed.set(method, paths);
      const key = `/${segments.join('/')}`;
      if (!paths.has(key)) paths.set(key, route);
    } else {
      const sizes = this.bySize.get(method) ?? [];
      this.bySize.set(method, sizes);
      (sizes[segments.length] ??= []).push(route);
    }
    return true;
  }

  /** @param path without query, its percent encoding already checked */
  find(method: string, path: string): RouteMatch | undefined {
    const plain = withoutSlash(path);
    const fixed = this.fixed.get(method)?.get(plain);
    const sizes = this.bySize.get(method);
    if (sizes !== undefined) {
      const segments = plain.slice(1).split('/');
      for (const route of sizes[segments.length] ?? []) {
        if (fixed !== undefined && fixed.order < route.order) break;
        if (matches(route, segments)) return matchOf(route, paramsOf(route, segments));
      }
    }
    return fixed && matchOf(fixed, noParams());
  }
}

/** One slash at the end makes no difference, as in Express. */
function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function matchOf(route: Route, params: Record<string, string>): RouteMatch {
  return { path: route.path, handler: route.handler, params };
}

function matches(route: Route, segments: string[]): boolean {
  for (let i = 0; i < segments.length; i++) {
    const word = route.words[i];
    if (word === undefined ? segments[i] === '' : word !== segments[i]) return false;
  }
  return true;
}

function paramsOf(route: Route, segments: string[]): Record<string, string> {
  const params = noParams();
  let at = 0;
  for (let i = 0; i < segments.length; i++) {
    if (route.words[i] !== undefined) continue;
    const value = segments[i]!;
    params[route.names[at++]!] = value.includes('%') ? decodeURIComponent(value) : value;
  }
  return params;
}

function noParams(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}
