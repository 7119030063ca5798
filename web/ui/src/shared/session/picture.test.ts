import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { forgetPicture, keepPicture, lastPicture, type Picture } from './picture'

// The browser's cache, in memory: Node has none.
beforeEach(() => {
  const kept = new Map<string, Map<string, Response>>()
  vi.stubGlobal('caches', {
    open: (name: string) => {
      const cache = kept.get(name) ?? new Map<string, Response>()
      kept.set(name, cache)
      return Promise.resolve({ put: (key: string, value: Response) => Promise.resolve(void cache.set(key, value)) })
    },
    match: (key: string, { cacheName }: { cacheName: string }) => Promise.resolve(kept.get(cacheName)?.get(key)?.clone()),
    delete: (name: string) => Promise.resolve(kept.delete(name)),
  })
})
afterEach(() => vi.unstubAllGlobals())

const picture = (at: number) => ({ at, me: { user: 'r370602' }, alerts: [], devices: [] }) as unknown as Picture

test('the newest picture is kept, and none after a logout', async () => {
  expect(await lastPicture()).toBeNull()
  await keepPicture(picture(1))
  await keepPicture(picture(2))
  expect((await lastPicture())?.at).toBe(2)
  await forgetPicture()
  expect(await lastPicture()).toBeNull()
})

test('a browser without a cache has no picture, and that is no fault', async () => {
  vi.unstubAllGlobals()
  await keepPicture(picture(1))
  expect(await lastPicture()).toBeNull()
  await forgetPicture()
})
