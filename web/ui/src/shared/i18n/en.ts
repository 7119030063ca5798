// All messages: each feature has its own, so that people who work on different pages do not meet in one file.

import app from '@/app/i18n/en'
import about from '@/features/about/i18n/en'
import accounts from '@/features/accounts/i18n/en'
import alerts from '@/features/alerts/i18n/en'
import devices from '@/features/devices/i18n/en'
import ingest from '@/features/ingest/i18n/en'
import layers from '@/features/layers/i18n/en'
import map from '@/features/map/i18n/en'
import phone from '@/features/phone/i18n/en'
import rules from '@/features/rules/i18n/en'
import common from './common/en'
import faults from './faults/en'

export default { ...common, ...faults, ...app, ...about, ...accounts, ...alerts, ...devices, ...ingest, ...layers, ...map, ...phone, ...rules } as const
