import { describePort, describeTraffic } from '../balancer/contract.ts';
import { startContractSite } from './contract-site.ts';

describePort('the Data Plane API, v2', () => startContractSite('v2'));
describeTraffic('the Data Plane API, v2', () => startContractSite('v2'));
