import { describeCycles } from './cycles.ts';

describeCycles('v2');
