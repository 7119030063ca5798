import { afterEach, expect, test, vi } from 'vitest'
import { aServer, refusal } from '@/shared/testing/server'
import { ApiError, onBuild, onUnauthorized, pageHeaders, request, setIdle, url } from './client'

afterEach(() => {
  vi.unstubAllGlobals()
  setIdle(() => false)
  onBuild(() => undefined)
})

const failure = async (work: Promise<unknown>): Promise<ApiError> => {
  const cause: unknown = await work.then(() => null, (error: unknown) => error)
  if (!(cause instanceof ApiError)) throw new Error(`no ApiError: ${String(cause)}`)
  return cause
}

test('a parameter without a value is not sent, a false and a 0 are', () => {
  expect(url('/a', undefined)).toBe('/a')
  expect(url('/a', { x: undefined, y: '' })).toBe('/a')
  expect(url('/a', { b: false, n: 0, q: '烟台 &' })).toBe('/a?b=false&n=0&q=%E7%83%9F%E5%8F%B0+%26')
})

test('a body is JSON, and a version is a quoted If-Match', async () => {
  const calls = aServer({ 'PATCH /a': { ok: 1 } })
  expect(await request('PATCH', '/a', { body: { x: [1] }, ifMatch: 7 })).toEqual({ ok: 1 })
  expect(calls[0]!.body).toEqual({ x: [1] })
  expect(calls[0]!.headers).toMatchObject({ 'Content-Type': 'application/json', 'If-Match': '"7"', Accept: 'application/json' })
  await request('PATCH', '/a')
  expect(calls[1]!.headers).not.toHaveProperty('Content-Type')
  expect(calls[1]!.headers).not.toHaveProperty('If-Match')
})

test('an answer without a body is undefined', async () => {
  aServer({ 'DELETE /a': null, 'GET /b': new Response('', { headers: { 'Content-Length': '0' } }) })
  expect(await request('DELETE', '/a')).toBeUndefined()
  expect(await request('GET', '/b')).toBeUndefined()
})

test('digits that JavaScript cannot hold stay where they are asked for', async () => {
  aServer({ 'GET /a': new Response('{"v":12345678901234567890.5}') })
  expect(await request('GET', '/a', { exact: true })).toEqual({ v: '12345678901234567890.5' })
  expect(await request('GET', '/a')).toEqual({ v: 12345678901234567000 })
})

test('a refusal has its status, its problem, and how long to wait', async () => {
  aServer({ 'GET /a': refusal(429, { detail: 'slowly', code: 'login-slowed' }, { 'Retry-After': '3' }), 'GET /b': refusal(400, { title: 'Bad' }) })
  const slow = await failure(request('GET', '/a'))
  expect([slow.status, slow.problem.code, slow.retryAfter, slow.message]).toEqual([429, 'login-slowed', 3, 'slowly'])
  const bad = await failure(request('GET', '/b'))
  expect([bad.retryAfter, bad.message]).toEqual([0, 'Bad'])
})

test('a refusal that is no JSON, a proxy’s, is told by its status', async () => {
  aServer({ 'GET /a': new Response('<html>', { status: 502, statusText: 'Bad Gateway' }) })
  const error = await failure(request('GET', '/a'))
  expect(error.problem).toEqual({ title: 'Bad Gateway', status: 502 })
})

test('a server that is not reached is status 0; a request that was given up is no refusal', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  expect((await failure(request('GET', '/a'))).status).toBe(0)
  vi.stubGlobal('fetch', () => Promise.reject(new DOMException('stopped', 'AbortError')))
  await expect(request('GET', '/a')).rejects.toThrow(DOMException)
})

test('a 401 is told to who listens, but for that of a login', async () => {
  aServer({ 'GET /a': refusal(401), 'POST /api/v1/session': refusal(401) })
  const heard = vi.fn()
  const stop = onUnauthorized(heard)
  await failure(request('GET', '/a'))
  expect(heard).toHaveBeenCalledTimes(1)
  await failure(request('POST', '/api/v1/session'))
  expect(heard).toHaveBeenCalledTimes(1)
  stop()
  await failure(request('GET', '/a'))
  expect(heard).toHaveBeenCalledTimes(1)
})

test('requests of a page that nobody is at say so, and every answer names the build', async () => {
  const calls = aServer({ 'GET /a': new Response('{}', { headers: { 'X-Onemap-Build': 'b2' } }) })
  const builds: string[] = []
  onBuild((build) => builds.push(build))
  await request('GET', '/a')
  setIdle(() => true)
  expect(pageHeaders()).toEqual({ 'X-Onemap-Idle': 'true' })
  await request('GET', '/a')
  expect(calls.map((c) => c.headers['X-Onemap-Idle'])).toEqual([undefined, 'true'])
  expect(builds).toEqual(['b2', 'b2'])
})
