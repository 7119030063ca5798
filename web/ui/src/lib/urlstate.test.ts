import { expect, test } from 'vitest'
import { decodeSettings, encodeSettings } from '../stores/layers'
import { readUrl, writeUrl, type UrlState } from './urlstate'

const state: UrlState = {
  view: { zoom: 9.5, lon: 121.39, lat: 37.54 },
  layers: 'hazard_zone:0.5,hospital:0',
  alert: 12,
  card: { kind: 'feature', layer: 'hazard_zone', id: '20001' },
  theme: 'light',
  language: 'en',
  wall: true,
  panels: 'lt',
}

test('a link gives back what it was made from', () => {
  expect(readUrl(writeUrl(state))).toEqual(state)
  const device: UrlState = { ...state, card: { kind: 'device', id: 'yt-370602-wl-0001' }, panels: '' }
  expect(readUrl(writeUrl(device))).toEqual(device)
})

test('what is at its default is left out', () => {
  expect(writeUrl({ view: null, layers: '', alert: null, card: null, theme: null, language: null, wall: false, panels: 'la' })).toEqual({})
})

test('nonsense in a link is no state', () => {
  const q = { v: '9/91/0', alert: '-1', card: 'device:<script>', theme: 'pink', lang: 'de', wall: 'yes' }
  expect(readUrl(q)).toEqual({ view: null, layers: '', alert: null, card: null, theme: null, language: null, wall: false, panels: null })
  for (const v of ['', '9', '9/37', '9/37/121/4', 'a/b/c', '9//121x']) expect(readUrl({ v }).view, v).toBeNull()
})

test('layer settings go through a link, and only what differs', () => {
  const settings = { county: { visible: true, opacity: 1 }, hospital: { visible: false, opacity: 1 }, '@devices': { visible: true, opacity: 0.55 } }
  const text = encodeSettings(settings)
  expect(text).toBe('@devices:0.55,hospital:0')
  expect(decodeSettings(text)).toEqual({ hospital: settings.hospital, '@devices': settings['@devices'] })
  expect(decodeSettings('x:2,:1,a:,DROP:1,b:0.5')).toEqual({ b: { visible: true, opacity: 0.5 } })
})
