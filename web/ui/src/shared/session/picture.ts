// The last known picture of this browser's user: alerts and devices, so that a reload while the server is away shows
// what was known, with its age. It is deleted when somebody logs out, and when another person logs in.

import type { Alert, Device, Me } from '@/shared/api/types'
import { base } from '@/shared/api/base'

const cacheName = base === '/' ? 'onemap-picture' : `onemap-picture ${base}` // one address may have several onemaps
const address = '/picture'

/** What is kept of what a page showed. */
export interface Picture {
  /** When it was right, ms since the epoch by the server's clock. */
  at: number
  me: Me
  alerts: Alert[]
  devices: Device[]
}

// Without TLS, and not on this machine, browsers have no cache for pages: then there is no picture.
const available = () => typeof caches !== 'undefined'

/** Keeps a picture in place of the one before. */
export async function keepPicture(picture: Picture): Promise<void> {
  if (!available()) return
  const body = new Response(JSON.stringify(picture), { headers: { 'Content-Type': 'application/json' } })
  await (await caches.open(cacheName)).put(address, body)
}

/** The picture that is kept, null when there is none that can be read. */
export async function lastPicture(): Promise<Picture | null> {
  if (!available()) return null
  const kept = await caches.match(address, { cacheName })
  try {
    return kept ? ((await kept.json()) as Picture) : null
  } catch {
    return null
  }
}

/** Deletes the picture: it is of somebody who has left. */
export async function forgetPicture(): Promise<void> {
  if (available()) await caches.delete(cacheName)
}
