/**
 * Queries worth trying, for the empty page and the palette: each shows one thing that NQL does well.
 */

export interface Example {
  title: string;
  text: string;
}

export const EXAMPLES: readonly Example[] = [
  {
    title: "Every device, with its system and memory",
    text: "devices\n| list name, entity, hardware.type, operating_system.name, hardware.memory, last_seen\n| sort name asc",
  },
  {
    title: "What crashed most this week, and on how many devices",
    text: "execution.crashes during past 7d\n| summarize crash_count = count(), device_count = device.count() by binary.name\n| sort crash_count desc\n| limit 20",
  },
  {
    title: "Who used the processor in the last two hours",
    text: "execution.events during past 2h\n| summarize processor_time = cpu_time.sum() by device.name, binary.name\n| sort processor_time desc\n| limit 50",
  },
  {
    title: "Devices that are short of free space on a volume",
    text: "device.volumes\n| list device.name, name, size, free_space\n| sort free_space asc\n| limit 50",
  },
  {
    title: "Devices on which something crashed, beside their memory",
    text: "devices\n| with execution.crashes during past 7d\n| compute crash_count = count()\n| list name, operating_system.name, hardware.memory, crash_count\n| sort crash_count desc",
  },
  {
    title: "What remote actions did lately",
    text: "remote_action.executions during past 24h\n| list request_time, device.name, remote_action.name, status, status_details, trigger_method\n| sort request_time desc",
  },
];
