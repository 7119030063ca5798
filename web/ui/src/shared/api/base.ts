// The path that the product is served below. The server writes it into index.html (web/api/base.go).

/** The base path with its slash at the end: "/" or "/onemap/". */
export const base = globalThis.document?.querySelector<HTMLMetaElement>('meta[name="onemap-base"]')?.content || '/'

/** A path of this server, as "/api/v1/me", below the base path. */
export const at = (path: `/${string}`): string => base + path.slice(1)
