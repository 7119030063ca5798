// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { aLayer, text } from '@/shared/testing/fixtures'
import { at, choose, labelOf, mount, newStores, offered, press, seeFaults, submit, type, unmount } from '@/shared/testing/dom'
import { aServer, refusal } from '@/shared/testing/server'
import LayerRulesForm from './LayerRulesForm.vue'

const layer = aLayer('shelter', {
  version: 3, min_zoom: 5, max_zoom: 14,
  fields: [{ name: 'kind', type: 'string', title: text('类别'), in_tile: true }, { name: 'grade', type: 'number', title: text('等级'), in_tile: false }],
})

beforeEach(newStores)
afterEach(unmount)

test('the limits of the schema stand at their fields, then only what was changed is sent', async () => {
  const calls = aServer({ 'PATCH /api/v1/layers/shelter': layer })
  const saved = vi.fn()
  await mount(LayerRulesForm, { layer, onSaved: saved })
  expect(labelOf('rule-max-zoom')).toBe('终止级别')
  expect([offered('rule-severity'), offered('rule-source')]).toEqual([['', 'grade'], ['', 'memory', 'database']])
  await submit('layer-rules')
  expect(document.body.textContent).toContain('没有')
  await type('rule-max-zoom', '23')
  await submit('layer-rules')
  await seeFaults({ max_zoom: '23 不在 0 至 22 之间' })
  expect(calls).toEqual([])

  await type('rule-max-zoom', '12')
  await press('in-tile-grade')
  await choose('rule-severity', 'grade')
  await press('cluster-own')
  await type('cluster-to-zoom', '9')
  await choose('cluster-cell', 256)
  await submit('layer-rules')
  await vi.waitFor(() => expect(saved).toHaveBeenCalled())
  expect(calls[0]).toMatchObject({ headers: { 'If-Match': '"3"' } })
  expect(calls[0]!.body).toEqual({ max_zoom: 12, in_tile: ['kind', 'grade'], tile: { severity: 'grade', cluster: { cell: 256, to_zoom: 9 } } })
})

test('what the server refuses stands at its field', async () => {
  aServer({ 'PATCH /api/v1/layers/shelter': refusal(422, { errors: [{ field: 'body.tile.simplify', code: 'out-of-range', params: { value: '300', from: '0', to: '256' } }] }) })
  await mount(LayerRulesForm, { layer })
  await type('rule-simplify', '300')
  await submit('layer-rules')
  await seeFaults({ simplify: '300 不在 0 至 256 之间' })
  expect(at('rule-simplify').getAttribute('aria-invalid')).toBe('true')
})
