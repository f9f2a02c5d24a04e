package metrics

import "github.com/nvad/nvad/pkg/bmp"

var perStation = []string{"station"}

// eachStation reads a value of every monitoring station.
func eachStation(read func(*bmp.Status) float64) func(*Sample, emit) {
	return func(s *Sample, out emit) {
		for i := range s.Stations {
			out(read(&s.Stations[i]), s.Stations[i].Address.String())
		}
	}
}

var bmpMetrics = []metric{
	{"nvad_bmp_connected", "1 if the monitoring station is connected.", gauge, perStation,
		eachStation(func(s *bmp.Status) float64 { return one(s.Connected) })},
	{"nvad_bmp_connections_total", "Connections made to the station.", counter, perStation,
		eachStation(func(s *bmp.Status) float64 { return float64(s.Connections) })},
	{"nvad_bmp_overflows_total", "Connections that nvad ended because the station read too slowly, or because memory was short.", counter, perStation,
		eachStation(func(s *bmp.Status) float64 { return float64(s.Overflows) })},
	{"nvad_bmp_messages_sent_total", "Messages sent to the station.", counter, perStation,
		eachStation(func(s *bmp.Status) float64 { return float64(s.Messages) })},
	{"nvad_bmp_sent_bytes_total", "Bytes sent to the station.", counter, perStation,
		eachStation(func(s *bmp.Status) float64 { return float64(s.Octets) })},
	{"nvad_bmp_waiting_bytes", "Memory that waits for the station to read.", gauge, perStation,
		eachStation(func(s *bmp.Status) float64 { return float64(s.Waiting) })},
}
