import about from './about'
import admin from './admin'
import command from './command'
import common from './common'
import faults from './faults'
import ingest from './ingest'
import layers from './layers'
import login from './login'
import phone from './phone'
import presence from './presence'

// One file a page, so that people who work on different pages do not meet in one file.
export default { ...common, ...faults, command, login, admin, ingest, layers, phone, presence, about } as const
