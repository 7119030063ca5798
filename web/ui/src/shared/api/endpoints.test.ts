// Every call of the page against docs/openapi.json: its method and path are there, and so is each parameter that it sends.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { aServer } from '@/shared/testing/server'
import * as api from './endpoints'

interface Operation {
  parameters?: { name: string; in: string }[]
  requestBody?: { content: Record<string, { schema: { $ref?: string } }> }
}
interface Schema {
  properties?: Record<string, unknown>
  required?: string[]
}
const document = JSON.parse(readFileSync(join(__dirname, '../../../../../docs/openapi.json'), 'utf8')) as {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

afterEach(() => vi.unstubAllGlobals())

const any = (() => undefined) as never
const rule = { name: { zh: '甲', en: '' }, datastream_type: 'x', direction: 'above' as const, thresholds: [], for_seconds: 0, hold_seconds: 0, enabled: true }
const calls: [name: string, call: () => unknown][] = [
  ['login', () => api.login('u', 'p')],
  ['logout', () => api.logout()],
  ['changePassword', () => api.changePassword('a', 'b')],
  ['failedLogins', () => api.failedLogins({ user: 'u', remote: 'r', reason: 'locked', account: 'known', limit: 5, before: 9 })],
  ['me', () => api.me()],
  ['checkPush', () => api.checkPush('http://map.example')],
  ['sessions', () => api.sessions('u')],
  ['revokeSession', () => api.revokeSession(4)],
  ['accounts', () => api.accounts()],
  ['createAccount', () => api.createAccount({ user: 'u', name: 'n', role: 'observer', division: '3706', password: 'p' })],
  ['updateAccount', () => api.updateAccount('u/v', 3, { disabled: true, name: 'n', role: 'observer', division: '3706', password: 'p' })],
  ['divisions', () => api.divisions('town')],
  ['layers', () => api.layers()],
  ['layer', () => api.layer('land')],
  ['updateLayer', () => api.updateLayer('land', 3, { min_zoom: 1, max_zoom: 2, tile: {}, in_tile: [] })],
  ['setLayerStyle', () => api.setLayerStyle('land', 3, { layers: [{ id: '-fill', slot: 'areas', type: 'fill' }] })],
  ['removeLayerStyle', () => api.removeLayerStyle('land', 3)],
  ['layerHealth', () => api.layerHealth()],
  ['features', () => api.features('land', { bbox: '1,2,3,4', after: 5, limit: 6 })],
  ['feature', () => api.feature('land', 7)],
  ['featureHistory', () => api.featureHistory('land', '7', { limit: 5, before: 3 })],
  ['devices', () => api.devices()],
  ['device', () => api.device('D1')],
  ['changeDevice', () => api.changeDevice('D1', false)],
  ['renewSecret', () => api.renewSecret('D1')],
  ['putCertificate', () => api.putCertificate('D1', { pem: 'x' })],
  ['deleteCertificate', () => api.deleteCertificate('D1')],
  ['changeDatastream', () => api.changeDatastream(3, null)],
  ['datastreamTypes', () => api.datastreamTypes()],
  ['streamChart', () => api.streamChart(3, { from: 'a', to: 'b', points: 100 })],
  ['rules', () => api.rules()],
  ['createRule', () => api.createRule(rule)],
  ['updateRule', () => api.updateRule(3, 2, rule)],
  ['deleteRule', () => api.deleteRule(3, 2)],
  ['alerts', () => api.alerts({ open: true, limit: 5, before: 9 })],
  ['alertsHistory', () => api.alertsHistory({ from: 'a', to: 'b', division: '3706', hazard: 'flood', level: '1,2', peak: '1', handling: 'new', device: 'D1', q: 'x' }, { limit: 50, before: 3 })],
  ['alert', () => api.alert(58)],
  ['handleAlert', () => api.handleAlert(58, 'resolve', { level: 1, note: 'n', confirm: true, assignee: 'u' })],
  ['handleAlerts', () => api.handleAlerts([{ id: 1, level: 2 }], 'close', { note: 'n', confirm: true })],
  ['assigneesOf', () => api.assigneesOf(58)],
  ['assignees', () => api.assignees()],
  ['silences', () => api.silences({ current: true })],
  ['createSilence', () => api.createSilence({ kind: 'silence', level: 1, reason: 'r', ends: 'x', device_id: 'D1', type: 't', division: '3706', starts: 'y' })],
  ['endSilence', () => api.endSilence(3)],
  ['ingest', () => api.ingest()],
  ['events', () => api.events({ kind: 'presence.changed', device: 'D1', limit: 5, before: 3 })],
  ['conflicts', () => api.conflicts({ datastream: 3, limit: 5, before: 9 })],
  ['quarantine', () => api.quarantine({ limit: 5, before: 9 })],
  ['search', () => api.search('x', 5)],
  ['sources', () => api.sources()],
  ['health', () => api.health()],
  ['displays', () => api.displays()],
  ['createDisplay', () => api.createDisplay({ name: 'n', division: '3706', mode: 'read', start: 'wall' })],
  ['renewDisplayLink', () => api.renewDisplayLink(3)],
  ['revokeDisplay', () => api.revokeDisplay(3)],
  ['previewLink', () => api.previewLink('t')],
  ['claimLink', () => api.claimLink('t')],
]

test('each call of the module is in the list', () => {
  const functions = Object.entries(api).filter(([name, value]) => typeof value === 'function' && name !== 'exportUrl').map(([name]) => name)
  expect(functions.sort()).toEqual(calls.map(([name]) => name).sort())
})

function operationOf(method: string, path: string): Operation | undefined {
  for (const [pattern, methods] of Object.entries(document.paths)) {
    const expression = new RegExp(`^${pattern.replace(/\{[^}]+\}/g, '[^/]+')}$`)
    const found = expression.test(path) ? methods[method.toLowerCase()] : undefined
    if (found) return found
  }
  return undefined
}

test.each(calls)('%s is an operation of the API, with its parameters and its body', async (_, call) => {
  const asked = aServer({})
  await Promise.resolve(call()).catch(any) // the answer is a 404: what was asked is what counts
  expect(asked).toHaveLength(1)
  const { method, path, query, body, headers } = asked[0]!
  const operation = operationOf(method, path)
  expect(operation, `${method} ${path}`).toBeDefined()
  const names = (where: string) => (operation!.parameters ?? []).filter((p) => p.in === where).map((p) => p.name)
  expect(names('query')).toEqual(expect.arrayContaining(Object.keys(query)))
  if (headers['If-Match']) expect(names('header')).toContain('If-Match')
  if (body === undefined) return
  const schema = document.components.schemas[operation!.requestBody!.content['application/json']!.schema.$ref!.split('/').at(-1)!]!
  expect(Object.keys(schema.properties!)).toEqual(expect.arrayContaining(Object.keys(body as object)))
  expect(Object.keys(body as object)).toEqual(expect.arrayContaining(schema.required ?? []))
})

test('names of things are one part of a path', async () => {
  const asked = aServer({})
  await api.updateAccount('a/b', 1, {}).catch(any)
  await api.device('../me').catch(any)
  expect(asked.map((c) => c.path)).toEqual(['/api/v1/accounts/a%2Fb', '/api/v1/devices/..%2Fme'])
})

test('the address of an export carries the filter and the language', () => {
  expect(api.exportUrl('csv', 'en', { level: '1,2', q: '' })).toBe('/api/v1/alerts/export?format=csv&lang=en&level=1%2C2')
  expect(operationOf('GET', '/api/v1/alerts/export')).toBeDefined()
})

test('devices are those of all pages, as of the first; pages of two logs are no list', async () => {
  const page = (n: number, over: object = {}) => ({ epoch: 'e', seq: n, seq_id: `e${n}`, batch: n, batch_id: `b${n}`, at: '', items: [{ id: `D${n}` }], ...over })
  aServer({ 'GET /api/v1/devices': ({ query }: { query: Record<string, string> }) => (query.after ? page(2) : page(1, { next: 'D1' })) })
  expect(await api.devices()).toMatchObject({ seq: 1, batch: 1, items: [{ id: 'D1' }, { id: 'D2' }] })
  aServer({ 'GET /api/v1/devices': ({ query }: { query: Record<string, string> }) => (query.after ? page(2, { epoch: 'f' }) : page(1, { next: 'D1' })) })
  await expect(api.devices()).rejects.toThrow('replaced')
})
